"""Make what people and callers leave beside decisions: rules, lists, cases, logs."""

from __future__ import annotations

from sqlalchemy import Engine, text

from benchmarks.console.decisions import HOT_PAYEE, RULES

CASES = 10_000
LIST_ENTRIES = 900_000
LOG_ENTRIES = 1_000_000
SMALL_LISTS = 9
SMALL_LIST = 5_000

_STATEMENTS = (
    "INSERT INTO rule_changes (tenant_id, id) VALUES (:tenant, 1)",
    """
    INSERT INTO rules (tenant_id, id, version, name, condition, action, state, priority, actor,
        change_id)
    SELECT :tenant, i, 1, 'Rule ' || i, 'amount > ' || i * 100000, 'review',
        CASE WHEN i % 5 = 0 THEN 'shadow' ELSE 'live' END, i, 'Ana Analyst', 1
    FROM generate_series(1, :rules) AS i
    """,
    """
    INSERT INTO lists (tenant_id, id, name, entity, action, actor, added_change)
    SELECT :tenant, i, 'accounts_' || i, 'account', CASE WHEN i = 1 THEN 'decline' END,
        'Ana Analyst', 1
    FROM generate_series(1, :lists) AS i
    """,
    """
    INSERT INTO list_entries (tenant_id, list_id, value, digest, reason, actor, added_change)
    SELECT :tenant, CASE WHEN i <= :entries THEN 1
            ELSE 2 + (i - :entries - 1) / :small_list END,
        'X' || i, substr(sha256(('X' || i)::bytea), 1, 16), 'Bought', 'Ana Analyst', 1
    FROM generate_series(1, :all_entries) AS i
    """,
    """
    INSERT INTO list_counts (tenant_id, list_id, entries)
    SELECT tenant_id, list_id, count(*) FROM list_entries GROUP BY tenant_id, list_id
    """,
    """
    INSERT INTO cases (tenant_id, number, title, status, priority, assignee_id, due_on, outcome,
        closed_at, created_by)
    SELECT :tenant, i, 'Case ' || i, CASE WHEN i % 2 = 0 THEN 'open' ELSE 'closed' END,
        (ARRAY['low', 'normal', 'high'])[1 + i % 3], :user,
        CASE WHEN i % 4 < 2 THEN current_date + (i % 60 - 20) END,
        CASE WHEN i % 2 = 1 THEN 'not_fraud' END,
        CASE WHEN i % 2 = 1 THEN now() - i * interval '1 minute' END, 'Ana Analyst'
    FROM generate_series(1, :cases) AS i
    """,
    """
    INSERT INTO case_events (tenant_id, case_number, transaction_id, actor)
    SELECT :tenant, 1 + row_number() OVER () % :cases, id, 'Ana Analyst'
    FROM (SELECT id FROM transactions WHERE tenant_id = :tenant ORDER BY id DESC
        LIMIT :linked) AS linked
    """,
    """
    INSERT INTO case_entities (tenant_id, case_number, entity, key, actor)
    VALUES (:tenant, 1, 'account', :payee, 'Ana Analyst')
    """,
    """
    INSERT INTO audit_log (tenant_id, at, actor, action, after, via, object)
    SELECT :tenant, now() - i * interval '25 seconds',
        (ARRAY['Ana Analyst', 'Bo Senior', 'sentinel', 'import'])[1 + i % 4],
        (ARRAY['feedback.created', 'label.created', 'case.changed', 'key.created'])[1 + i / 4 % 4],
        jsonb_build_object('label', 'false_positive', 'rationale', 'The customer was called.'),
        'user bo@bank-0.example', 'transactions/' || md5('o' || i / 2)::uuid
    FROM generate_series(:log_entries, 1, -1) AS i
    """,
    """
    INSERT INTO access_log (tenant_id, id, actor, via, action, object, details)
    SELECT :tenant, uuidv7(-i * interval '25 seconds'),
        (ARRAY['Ana Analyst', 'Bo Senior', 'reports'])[1 + i % 3], NULL,
        (ARRAY['transaction.read', 'transactions.searched'])[1 + i / 3 % 2],
        'accounts/C' || i / 2, '{"rows": 7}'
    FROM generate_series(:log_entries, 1, -1) AS i
    """,
)


def load_work(engine: Engine, tenant: int, user: int) -> None:
    """Fill the tables beside the decisions.

    Args:
        engine: database pool of a superuser, with OPERATOR_TIMEOUT_S, which skips triggers here.
        tenant: tenant whose rows they are.
        user: account that has every case.
    """
    given = {
        "tenant": tenant,
        "user": user,
        "payee": HOT_PAYEE,
        "rules": RULES,
        "lists": SMALL_LISTS + 1,
        "entries": LIST_ENTRIES,
        "small_list": SMALL_LIST,
        "all_entries": LIST_ENTRIES + SMALL_LISTS * SMALL_LIST,
        "cases": CASES,
        "linked": 3 * CASES,
        "log_entries": LOG_ENTRIES,
    }
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in _STATEMENTS:
            connection.execute(text(statement), given)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
