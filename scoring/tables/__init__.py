"""Tables in files and requests: rows of CSV, and what their cells mean."""
