"""Data that tests fill databases and files with."""
