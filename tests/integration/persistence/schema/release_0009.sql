-- What the release at revision 0009 runs while it decides payments and while analysts review them.
-- tests/integration/persistence/schema/ runs it against the schema of this release.

-- name: set_tenants
SELECT set_config('sentinel.tenant_ids', %(tenants)s, true)

-- name: set_actor
SELECT set_config('sentinel.actor', %(actor)s, true), set_config('sentinel.via', %(via)s, true)

-- name: set_key_prefix
SELECT set_config('sentinel.key_prefix', %(prefix)s, true)

-- name: find_key
SELECT api_keys.digest, api_keys.secret_id, tenants.id, tenants.slug, tenants.model_name, api_keys.name,
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
INSERT INTO model_versions (tenant_id, name, version, policy, calibrator_kind, usual)
VALUES (%(tenant_id)s, %(name)s, %(version)s, %(policy)s, %(calibrator_kind)s, %(usual)s)
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
    since = CASE WHEN (challenger_versions.name != excluded.name
        OR challenger_versions.version != excluded.version) THEN now()
        ELSE challenger_versions.since END
WHERE challenger_versions.name != excluded.name OR challenger_versions.version != excluded.version
    OR challenger_versions.canary_percent != %(canary_percent)s

-- name: record_refusal
INSERT INTO refusals (tenant_id, name, version, registered_ms, reason)
VALUES (%(tenant_id)s, %(name)s, %(version)s, %(registered_ms)s, %(reason)s)
ON CONFLICT DO NOTHING

-- name: set_policy
INSERT INTO policies (tenant_id, policy, actor) VALUES (%(tenant_id)s, %(policy)s, %(actor)s)
RETURNING policies.id, policies.policy, policies.actor, policies.created_at

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
    SELECT *, external_id IS NULL
        OR pg_try_advisory_xact_lock(hashtextextended(external_id, tenant_id)) AS has_lock
    FROM (SELECT unnest(%(tenant_id)b::bigint[]) AS tenant_id, unnest(%(transaction_id)b::uuid[]) AS
        transaction_id, unnest(%(prediction_id)b::uuid[]) AS prediction_id,
        unnest(%(external_id)b::text[]) AS external_id, unnest(%(body_digest)b::bytea[])
        AS body_digest, unnest(%(step)b::integer[]) AS step, unnest(%(type)b::text[]) AS
        type, unnest(%(amount)b::float8[]) AS amount, unnest(%(name_orig)b::text[]) AS
        name_orig, unnest(%(oldbalance_org)b::float8[]) AS oldbalance_org,
        unnest(%(name_dest)b::text[]) AS name_dest,
        unnest(%(oldbalance_dest)b::float8[]) AS oldbalance_dest,
        unnest(%(model_name)b::text[]) AS model_name,
        unnest(%(model_version)b::integer[]) AS model_version,
        unnest(%(score)b::float8[]) AS score, unnest(%(margin)b::float8[]) AS margin,
        unnest(%(base_value)b::float8[]) AS base_value,
        unnest(%(raw_probability)b::float8[]) AS raw_probability,
        unnest(%(threshold)b::float8[]) AS threshold, unnest(%(policy_id)b::bigint[]) AS
        policy_id, unnest(%(risk_band)b::text[]) AS risk_band,
        unnest(%(decision)b::text[]) AS decision, unnest(%(features)b::text[])::jsonb AS
        features, unnest(%(contributions)b::text[])::jsonb AS contributions,
        unnest(%(latency_ms)b::float8[]) AS latency_ms) AS given
), claimed AS (
    INSERT INTO idempotency_keys (tenant_id, key, body_digest, prediction_id)
    SELECT tenant_id, external_id, body_digest, prediction_id
    FROM given WHERE external_id IS NOT NULL AND has_lock
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
SELECT prediction_id, has_lock FROM given
WHERE external_id IS NOT NULL AND prediction_id NOT IN (SELECT prediction_id FROM claimed)

-- name: replay
SELECT p.tenant_id, p.id, p.created_at,
    p.transaction_id, p.model_name, p.model_version, p.score, p.margin, p.base_value,
    p.raw_probability, p.threshold, p.policy_id, p.risk_band, p.decision, p.features,
    p.contributions, p.latency_ms, t.external_id, t.step, t.type, t.amount, t.name_orig,
    t.oldbalance_org, t.name_dest, t.oldbalance_dest, k.key, k.body_digest
FROM unnest(%(tenant_ids)s::bigint[], %(keys)s::text[]) AS requested (tenant_id, key)
JOIN idempotency_keys k ON (k.tenant_id, k.key) = (requested.tenant_id, requested.key)
JOIN predictions p ON (p.tenant_id, p.id) = (k.tenant_id, k.prediction_id)
JOIN transactions t ON (t.tenant_id, t.id) = (p.tenant_id, p.transaction_id)

-- name: claim_request
SELECT pg_try_advisory_xact_lock(hashtextextended('request ' || %(key)s, %(tenant_id)s)) AS is_free

-- name: find_request
SELECT idempotent_requests.body_digest, idempotent_requests.status, idempotent_requests.reply
FROM idempotent_requests
WHERE idempotent_requests.tenant_id = %(tenant_id)s AND idempotent_requests.key = %(key)s

-- name: keep_batch
INSERT INTO idempotent_requests (tenant_id, key, body_digest, prediction_ids)
VALUES (%(tenant_id)s, %(key)s, %(body_digest)s, %(prediction_ids)s)

-- name: keep_reply
INSERT INTO idempotent_requests (tenant_id, key, body_digest, status, reply)
VALUES (%(tenant_id)s, %(key)s, %(body_digest)s, %(status)s, %(reply)s)

-- name: replay_batch
SELECT p.tenant_id, p.id, p.created_at,
    p.transaction_id, p.model_name, p.model_version, p.score, p.margin, p.base_value,
    p.raw_probability, p.threshold, p.policy_id, p.risk_band, p.decision, p.features,
    p.contributions, p.latency_ms, t.external_id, t.step, t.type, t.amount, t.name_orig,
    t.oldbalance_org, t.name_dest, t.oldbalance_dest
FROM idempotent_requests r
CROSS JOIN LATERAL unnest(r.prediction_ids) WITH ORDINALITY AS kept (prediction_id, position)
LEFT JOIN predictions p ON (p.tenant_id, p.id) = (r.tenant_id, kept.prediction_id)
LEFT JOIN transactions t ON (t.tenant_id, t.id) = (p.tenant_id, p.transaction_id)
WHERE (r.tenant_id, r.key) = (%(tenant_id)s, %(key)s)
ORDER BY kept.position

-- name: read
SELECT predictions.tenant_id, predictions.id, predictions.transaction_id, predictions.model_name,
    predictions.model_version, predictions.score, predictions.margin, predictions.base_value,
    predictions.raw_probability, predictions.threshold, predictions.policy_id,
    predictions.risk_band, predictions.decision,
    predictions.features, predictions.contributions, predictions.latency_ms, predictions.reviewed,
    predictions.created_at, transactions.external_id, transactions.step, transactions.type,
    transactions.amount, transactions.name_orig, transactions.oldbalance_org,
    transactions.name_dest, transactions.oldbalance_dest, (
        SELECT model_versions.usual FROM model_versions
        WHERE model_versions.tenant_id = predictions.tenant_id
            AND model_versions.name = predictions.model_name
            AND model_versions.version = predictions.model_version
    ) AS usual
FROM predictions JOIN transactions ON transactions.tenant_id = predictions.tenant_id
    AND transactions.id = predictions.transaction_id
WHERE predictions.tenant_id = %(tenant_id)s AND predictions.id = %(prediction_id)s

-- name: issue_key
INSERT INTO api_keys (tenant_id, prefix, name, digest, secret_id, scopes, expires_at)
VALUES (%(tenant_id)s, %(prefix)s, %(name)s, %(digest)s, %(secret_id)s, %(scopes)s, %(expires_at)s)
RETURNING api_keys.id

-- name: settle_case
UPDATE predictions SET reviewed = %(reviewed)s
WHERE predictions.tenant_id = %(tenant_id)s AND predictions.id >= %(month_from)s
    AND predictions.id < %(month_to)s AND predictions.transaction_id = %(transaction_id)s
RETURNING predictions.id

-- name: give_feedback
INSERT INTO feedback (tenant_id, transaction_id, label, rationale, actor)
VALUES (%(tenant_id)s, %(transaction_id)s, %(label)s, %(rationale)s, %(actor)s)
RETURNING feedback.id, feedback.label, feedback.rationale, feedback.actor, feedback.created_at

-- name: log_access
INSERT INTO access_log (tenant_id, actor, via, action, object, details)
VALUES (%(tenant_id)s, %(actor)s, %(via)s, %(action)s, %(object)s, %(details)s)

-- name: read_audit
SELECT audit_log.id, audit_log.at, audit_log.actor, audit_log.action, audit_log.before,
    audit_log.after, audit_log.via, audit_log.object
FROM audit_log
WHERE audit_log.tenant_id = %(tenant_id)s ORDER BY audit_log.at DESC, audit_log.id DESC
LIMIT 51

-- name: record_job
INSERT INTO job_runs (job) VALUES (%(job)s) ON CONFLICT (job) DO UPDATE SET succeeded_at = now()

-- name: store_drift_check
INSERT INTO drift_checks (tenant_id, window_from, window_to, model_name, model_version, predictions,
    note)
VALUES (%(tenant_id)s, %(window_from)s, %(window_to)s, %(model_name)s, %(model_version)s,
    %(predictions)s, %(note)s)
RETURNING drift_checks.id

-- name: store_drift_measure
INSERT INTO drift_measures (tenant_id, check_id, name, edges, trained, trained_rows, counts, level,
    psi, expected_without_drift, limit_without_drift)
VALUES (%(tenant_id)s, %(check_id)s, %(name)s, %(edges)s, %(trained)s, %(trained_rows)s, %(counts)s,
    %(level)s, %(psi)s, %(expected_without_drift)s, %(limit_without_drift)s)
