"""The journal and the circuit with a real Postgres."""
