"""Stored decisions with the labels that analysts gave them."""
