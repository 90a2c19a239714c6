"""The published experiment on the Fraud Detection Handbook's payments, through the service."""
