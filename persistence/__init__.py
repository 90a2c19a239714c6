"""Tables, migrations and all transactions in Postgres."""
