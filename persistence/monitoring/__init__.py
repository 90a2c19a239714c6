"""State that the metrics report: activity of the tenants, the database server, job runs."""
