"""The tables, a file a subject. Migrations create them; a test holds the two equal."""

from persistence.tables import decisions, deployments, drift, review, tenants
from persistence.tables.base import Base

__all__ = ["Base", "decisions", "deployments", "drift", "review", "tenants"]
