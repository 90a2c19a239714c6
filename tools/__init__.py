"""Programs that install what the project needs and maintain its files."""
