-- What the release at revision 0003 says to Postgres while it decides payments.
-- tests/integration/persistence/schema/test_expand_and_contract.py runs it against the schema of this release.

-- name: set_tenants
SELECT set_config('sentinel.tenant_ids', %(tenants)s, true)

-- name: set_key_prefix
SELECT set_config('sentinel.key_prefix', %(prefix)s, true)

-- name: find_key
SELECT api_keys.digest, tenants.id, tenants.slug, tenants.model_name, api_keys.prefix,
    api_keys.scopes, api_keys.expires_at
FROM api_keys JOIN tenants ON tenants.id = api_keys.tenant_id
WHERE api_keys.prefix = %(prefix)s AND api_keys.revoked_at IS NULL
    AND (api_keys.expires_at IS NULL OR api_keys.expires_at > now())

-- name: note_key_use
UPDATE api_keys SET last_used_at = now()
WHERE api_keys.prefix = %(prefix)s
    AND (api_keys.last_used_at IS NULL OR api_keys.last_used_at < now() - interval '1 minute')

-- name: list_tenants
SELECT tenants.id, tenants.slug, tenants.model_name, tenants.is_test FROM tenants
ORDER BY tenants.slug

-- name: record_model_version
INSERT INTO model_versions (tenant_id, name, version, policy, calibrator_kind)
VALUES (%(tenant_id)s, %(name)s, %(version)s, %(policy)s, %(calibrator_kind)s)
ON CONFLICT DO NOTHING

-- name: record_promotion
INSERT INTO production_versions (tenant_id, name, version)
VALUES (%(tenant_id)s, %(name)s, %(version)s)
ON CONFLICT (tenant_id) DO UPDATE
SET name = excluded.name, version = excluded.version, since = now()
WHERE production_versions.name != excluded.name OR production_versions.version != excluded.version

-- name: record_challenger
INSERT INTO challenger_versions (tenant_id, name, version, canary_percent)
VALUES (%(tenant_id)s, %(name)s, %(version)s, %(canary_percent)s)
ON CONFLICT (tenant_id) DO UPDATE
SET name = excluded.name, version = excluded.version, canary_percent = excluded.canary_percent,
    since = CASE WHEN challenger_versions.name != excluded.name
        OR challenger_versions.version != excluded.version THEN now()
        ELSE challenger_versions.since END
WHERE challenger_versions.name != excluded.name OR challenger_versions.version != excluded.version
    OR challenger_versions.canary_percent != excluded.canary_percent

-- name: current_policies
SELECT tenants.id AS tenant_id, newest.id, newest.policy, newest.actor, newest.created_at
FROM tenants JOIN LATERAL (
    SELECT policies.id, policies.policy, policies.actor, policies.created_at FROM policies
    WHERE policies.tenant_id = tenants.id ORDER BY policies.id DESC LIMIT 1
) AS newest ON true
WHERE newest.policy IS NOT NULL

-- name: insert_shadow_scores
INSERT INTO shadow_scores (tenant_id, prediction_id, model_name, model_version, margin, score,
    threshold, decision)
SELECT tenant_id, prediction_id, model_name, model_version, margin, score, threshold, decision
FROM unnest(%(tenant_id)b::bigint[], %(prediction_id)b::uuid[], %(model_name)b::text[],
    %(model_version)b::integer[], %(margin)b::float8[], %(score)b::float8[],
    %(threshold)b::float8[], %(decision)b::text[]) AS given (tenant_id, prediction_id, model_name,
    model_version, margin, score, threshold, decision)
ON CONFLICT DO NOTHING

-- name: insert
WITH given AS MATERIALIZED (
    SELECT tenant_id, transaction_id, prediction_id, external_id, body_digest, step, type, amount,
        name_orig, oldbalance_org, name_dest, oldbalance_dest, model_name, model_version, score,
        margin, base_value, raw_probability, threshold, policy_id,
        risk_band, decision, features::jsonb,
        contributions::jsonb, latency_ms, external_id IS NULL
        OR pg_try_advisory_xact_lock(hashtextextended(external_id, tenant_id)) AS is_free
    FROM unnest(%(tenant_id)b::bigint[], %(transaction_id)b::uuid[], %(prediction_id)b::uuid[],
        %(external_id)b::text[], %(body_digest)b::bytea[], %(step)b::integer[], %(type)b::text[],
        %(amount)b::float8[], %(name_orig)b::text[], %(oldbalance_org)b::float8[],
        %(name_dest)b::text[], %(oldbalance_dest)b::float8[], %(model_name)b::text[],
        %(model_version)b::integer[], %(score)b::float8[], %(margin)b::float8[],
        %(base_value)b::float8[], %(raw_probability)b::float8[], %(threshold)b::float8[],
        %(policy_id)b::bigint[],
        %(risk_band)b::text[], %(decision)b::text[], %(features)b::text[],
        %(contributions)b::text[], %(latency_ms)b::float8[]) AS given (tenant_id, transaction_id,
        prediction_id, external_id, body_digest, step, type, amount, name_orig, oldbalance_org,
        name_dest, oldbalance_dest, model_name, model_version, score, margin, base_value,
        raw_probability, threshold, policy_id,
        risk_band, decision, features, contributions, latency_ms)
), claimed AS (
    INSERT INTO idempotency_keys (tenant_id, key, body_digest, prediction_id)
    SELECT tenant_id, external_id, body_digest, prediction_id
    FROM given WHERE external_id IS NOT NULL AND is_free
    ON CONFLICT (tenant_id, key) DO NOTHING
    RETURNING prediction_id
), fresh AS MATERIALIZED (
    SELECT * FROM given
    WHERE external_id IS NULL OR prediction_id IN (SELECT prediction_id FROM claimed)
), stored_transactions AS (
    INSERT INTO transactions (tenant_id, id, external_id, step, type, amount, name_orig,
        oldbalance_org, name_dest, oldbalance_dest)
    SELECT tenant_id, transaction_id, external_id, step, type, amount, name_orig, oldbalance_org,
        name_dest, oldbalance_dest FROM fresh
), stored_predictions AS (
    INSERT INTO predictions (tenant_id, id, transaction_id, model_name, model_version, score,
        margin, base_value, raw_probability, threshold, policy_id,
        risk_band, decision, features,
        contributions, latency_ms)
    SELECT tenant_id, prediction_id, transaction_id, model_name, model_version, score, margin,
        base_value, raw_probability, threshold, policy_id,
        risk_band, decision, features, contributions,
        latency_ms FROM fresh
)
SELECT prediction_id, is_free FROM given
WHERE external_id IS NOT NULL AND prediction_id NOT IN (SELECT prediction_id FROM claimed)

-- name: replay
SELECT k.tenant_id, k.key, k.body_digest, p.id, p.created_at,
    p.transaction_id, p.model_name, p.model_version, p.score, p.margin, p.base_value,
        p.raw_probability, p.threshold, p.policy_id,
        p.risk_band, p.decision, p.features, p.contributions,
        p.latency_ms, t.external_id, t.step, t.type, t.amount, t.name_orig, t.oldbalance_org,
        t.name_dest, t.oldbalance_dest
FROM unnest(%(tenant_ids)s::bigint[], %(keys)s::text[]) AS asked (tenant_id, key)
JOIN idempotency_keys k ON (k.tenant_id, k.key) = (asked.tenant_id, asked.key)
JOIN predictions p ON (p.tenant_id, p.id) = (k.tenant_id, k.prediction_id)
JOIN transactions t ON (t.tenant_id, t.id) = (p.tenant_id, p.transaction_id)

-- name: read
SELECT predictions.tenant_id, predictions.id, predictions.transaction_id, predictions.model_name,
    predictions.model_version, predictions.score, predictions.margin, predictions.base_value,
    predictions.raw_probability, predictions.threshold, predictions.policy_id,
        predictions.risk_band, predictions.decision,
    predictions.features, predictions.contributions, predictions.latency_ms, predictions.reviewed,
    predictions.created_at, transactions.external_id, transactions.step, transactions.type,
    transactions.amount, transactions.name_orig, transactions.oldbalance_org,
    transactions.name_dest, transactions.oldbalance_dest
FROM predictions JOIN transactions ON transactions.tenant_id = predictions.tenant_id
    AND transactions.id = predictions.transaction_id
WHERE predictions.tenant_id = %(tenant_id)s AND predictions.id = %(prediction_id)s
