"""`python -m benchmarks.store`: how Postgres answers with many stored decisions."""
