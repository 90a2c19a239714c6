"""Connections to Postgres: their parameters, their session, and why one cannot be had."""
