"""Statements that read mature decisions with their labels."""

from __future__ import annotations

from sqlalchemy import text

from persistence.decisions.rows import EVENT_COLUMNS

NO_NESTED_LOOPS = "SET LOCAL enable_nestloop = off"
"""Runs before DECISIONS, PAIRS and TRANSACTIONS, which join whole ranges. Until a table is first
analysed, Postgres estimates it as small and chooses a nested loop: 20,000 decisions then take more
than 5 s, and 0.1 s with a hash join."""

MODELS = text("SELECT name, version FROM model_versions WHERE tenant_id = :tenant_id ORDER BY 1, 2")

NTH_PREDICTION = text(
    """
    SELECT id FROM predictions WHERE tenant_id = :tenant_id AND id >= :start AND id < :end
    ORDER BY id DESC OFFSET :limit - 1 LIMIT 2
    """
)
NTH_SHADOW = text(
    """
    SELECT prediction_id FROM shadow_scores
    WHERE tenant_id = :tenant_id AND prediction_id >= :start AND prediction_id < :end
        AND ((model_name = :champion AND model_version = :champion_version)
            OR (model_name = :challenger AND model_version = :challenger_version))
    ORDER BY prediction_id DESC OFFSET :limit - 1 LIMIT 2
    """
)

# `scoring.labels.effective_label` for whole ranges: of each source the latest label that was known,
# in the order of the unique key of `labels`, then the most trusted source that has one.
_WITH_EFFECTIVE = """
WITH known AS (
    SELECT DISTINCT ON (transaction_id, source) transaction_id, source, label, reversed FROM labels
    WHERE tenant_id = %(tenant_id)s
        AND transaction_id >= %(start_ms)s AND transaction_id < %(end)s
        AND occurred_at <= %(as_of)s
    ORDER BY transaction_id DESC, source DESC, occurred_at DESC, id DESC
), effective AS (
    SELECT DISTINCT ON (transaction_id) transaction_id, label FROM known WHERE NOT reversed
    ORDER BY transaction_id, label = 'escalated', array_position(%(sources)s::text[], source)
)
"""
_LABEL = """
    (effective.label IS NOT DISTINCT FROM 'fraud')::int::float8,
    (effective.label IS NOT NULL)::int::float8,
    extract(epoch FROM uuid_extract_timestamp(p.id))::float8,
    p.approval_probability, (p.decision = 'approve')::int::float8
"""
_LABELLED_TRANSACTION = """
JOIN transactions t ON t.tenant_id = p.tenant_id AND t.id = p.transaction_id
    AND t.tenant_id = %(tenant_id)s AND t.id >= %(start_ms)s AND t.id < %(end)s
LEFT JOIN effective ON effective.transaction_id = p.transaction_id
"""
_MATURE = """
WHERE p.tenant_id = %(tenant_id)s AND p.id >= %(start)s AND p.id < %(end)s
    AND p.model_name <> %(test)s AND effective.label IS DISTINCT FROM 'escalated'
"""


SHADOW_SCORES = """
LEFT JOIN shadow_scores s ON s.tenant_id = p.tenant_id AND s.prediction_id = p.id
    AND s.tenant_id = %(tenant_id)s AND s.prediction_id >= %(start)s AND s.prediction_id < %(end)s
    AND s.model_name = %(scored_by_name)s AND s.model_version = %(scored_by_version)s
"""
"""Joins the shadow scores s of one version to the predictions p of `mature_decisions`."""


def mature_decisions(columns: str, condition: str = "", *, joined: str = "") -> str:
    """Return the statement that reads mature decisions, the newest first.

    Its rows end with what `persistence.labels.reader.label_columns` takes.

    Args:
        columns: select list over predictions p, transactions t and the model's place.
        condition: further condition, beginning with AND.
        joined: further tables, beginning with a kind of JOIN.
    """
    return f"""
    {_WITH_EFFECTIVE}
    SELECT {columns}, {_LABEL}
    FROM predictions p {_LABELLED_TRANSACTION}
    JOIN unnest(%(names)s::text[], %(versions)s::int[])
        WITH ORDINALITY AS model (name, version, place)
        ON (model.name, model.version) = (p.model_name, p.model_version)
    {joined}
    {_MATURE} {condition}
    ORDER BY p.id DESC
    """  # noqa: S608 - constants of this file and of its callers


DECISIONS = mature_decisions("p.score, p.threshold, t.amount, (model.place - 1)::float8")

# What a version flags follows from its score: chance, rules and lists decide for no version.
PAIRS = f"""
{_WITH_EFFECTIVE}, scored AS (
    SELECT p.id, p.transaction_id, p.tenant_id, p.model_name, p.approval_probability, p.decision,
        (p.model_name, p.model_version) = (%(champion)s, %(champion_version)s) AS by_champion,
        p.score, (p.score >= p.threshold)::int::float8 AS review,
        s.score AS shadow, (s.score >= s.threshold)::int::float8 AS shadow_review
    FROM predictions p
    JOIN shadow_scores s ON s.tenant_id = p.tenant_id AND s.prediction_id = p.id
    WHERE s.tenant_id = %(tenant_id)s AND s.prediction_id >= %(start)s AND s.prediction_id < %(end)s
        AND p.tenant_id = %(tenant_id)s AND p.id >= %(start)s AND p.id < %(end)s
        AND (p.model_name, p.model_version, s.model_name, s.model_version) IN (
            (%(champion)s, %(champion_version)s, %(challenger)s, %(challenger_version)s),
            (%(challenger)s, %(challenger_version)s, %(champion)s, %(champion_version)s))
)
SELECT CASE WHEN by_champion THEN score ELSE shadow END,
    CASE WHEN by_champion THEN review ELSE shadow_review END,
    CASE WHEN by_champion THEN shadow ELSE score END,
    CASE WHEN by_champion THEN shadow_review ELSE review END,
    t.amount, {_LABEL}
FROM scored p {_LABELLED_TRANSACTION} {_MATURE}
ORDER BY p.id DESC
"""  # noqa: S608

TRANSACTIONS = f"""
{_WITH_EFFECTIVE}
SELECT t.{", t.".join(EVENT_COLUMNS[:-1])}, (
    SELECT e.document::text FROM event_types e WHERE (e.tenant_id, e.id) =
        (t.tenant_id, t.event_type_id)), {_LABEL}
FROM predictions p {_LABELLED_TRANSACTION} {_MATURE}
ORDER BY p.id DESC
"""  # noqa: S608
