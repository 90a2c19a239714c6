"""Which tables hold rows of tenants, and whether Postgres keeps the tenants apart there."""

from __future__ import annotations

from persistence.tables import Base
from tests.support.fixture_types import Rows

WITHOUT_TENANT = {
    "tenants": "is the list of tenants itself: slugs and model names, which the follower reads",
    "alembic_version": "holds the schema's revision",
    "job_runs": "holds the times of jobs over all tenants",
}
"""Tables without a tenant, each with the reason."""


def check_row_security(rows: Rows) -> None:
    """Assert that every table with tenants, partitions included, has a forced policy."""
    tables = rows(
        """
        SELECT c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AS forced,
            EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid) AS policy,
            EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid
                AND a.attname = 'tenant_id' AND NOT a.attisdropped) AS of_tenants
        FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
        """
    )
    assert {t["name"] for t in tables} >= set(Base.metadata.tables)
    for table in tables:
        if table["of_tenants"]:
            assert table["forced"], f"{table['name']} has tenants and no forced row security"
            assert table["policy"], f"{table['name']} has tenants and no policy"
        else:
            assert table["name"] in WITHOUT_TENANT, f"{table['name']} has no tenant; explain why"
