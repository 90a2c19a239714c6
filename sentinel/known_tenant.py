"""Tell a training that its tenant exists: it needs no Postgres, and cannot look."""

KNOWN_TENANT = "SENTINEL_KNOWN_TENANT"
"""Environment variable with the slug of a tenant that exists: a program sets it that has made the
tenant and starts a training for it, as `sentinel demo` does."""
