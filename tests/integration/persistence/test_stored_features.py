"""A stored decision is read by the features of the version that made it, whatever another has."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text

from persistence.decisions.rows import Decided, read_decision
from persistence.decisions.writer import DecisionLog
from persistence.deployments.recording import record_promotions
from persistence.review.worklist import REVIEWS, read_case, read_worklist
from persistence.tenants import Tenant
from scoring.described_features import DescribedFeatures
from scoring.feature_set.definition import FeatureDefinition
from scoring.feature_set.feature_set import FeatureSet
from scoring.feature_set.model_features import ModelFeatures
from scoring.features import PAYSIM_FEATURES
from scoring.prediction import ModelVersion
from scoring.reasons import reasons
from scoring.transaction import PAYSIM
from tests.support.data.review import decide, store
from tests.support.factories import a_model
from tests.support.fixture_types import MakeTenant
from tests.support.management_api import connected

WITH_ONE_MORE = ModelFeatures(
    PAYSIM,
    FeatureSet(
        (
            FeatureDefinition("visits", "step", "visits of the last hour"),
            *PAYSIM_FEATURES.feature_set.definitions,
        )
    ),
)
WITH_OTHERS = ModelFeatures(
    PAYSIM,
    FeatureSet(
        (
            FeatureDefinition("zeta", "amount", "risk of the terminal"),
            FeatureDefinition("channel", "step", "channel of the payment", ("web", "app")),
        )
    ),
)
ONE_MORE, OTHERS = WITH_ONE_MORE.described, WITH_OTHERS.described


@pytest.fixture
def tenant(make_tenant: MakeTenant, service_engine: Engine) -> Tenant:
    """A tenant with version 1 of the first eleven features, 2 with one more, 3 with others."""
    made = make_tenant()
    for number, features in ((2, WITH_ONE_MORE), (3, WITH_OTHERS)):
        version = ModelVersion("fraud-demo", number)
        model = replace(a_model(version=version), features=features)
        record_promotions(service_engine, [made.id], model)
    return made


def decided_by(tenant: Tenant, number: int, described: DescribedFeatures) -> Decided:
    decided = decide(tenant, 0.9, ModelVersion("fraud-demo", number))
    count = len(described.names)
    prediction = decided.prediction._replace(
        features=[float(i % 2) for i in range(count)],
        contributions=[1.0 + i for i in range(count)],
        described=described,
    )
    return decided._replace(prediction=prediction)


def test_decisions_of_versions_with_other_features_are_read_side_by_side(
    service_engine: Engine, tenant: Tenant
) -> None:
    made = [decided_by(tenant, 1, PAYSIM_FEATURES.described), decided_by(tenant, 2, ONE_MORE)]
    made.append(decided_by(tenant, 3, OTHERS))
    store(service_engine, *made)
    listed = read_worklist(service_engine, tenant.id, REVIEWS, undecided=True, limit=9).entries
    by_id = {case.decided.prediction_id: case.decided.prediction for case in listed}
    for decided in made:
        read = read_decision(service_engine, tenant.id, decided.prediction_id).prediction
        case = read_case(service_engine, tenant.id, decided.transaction_id)
        for prediction in (read, by_id[decided.prediction_id], case.decided.prediction):
            assert prediction.described == decided.prediction.described
            assert prediction.features == decided.prediction.features
            assert prediction.contributions == decided.prediction.contributions
    assert reasons(by_id[made[2].prediction_id])[0].startswith("Channel of the payment: app, which")


def test_the_review_routes_list_decisions_of_every_feature_list(
    service_engine: Engine, tenant: Tenant
) -> None:
    made = [decided_by(tenant, 1, PAYSIM_FEATURES.described), decided_by(tenant, 3, OTHERS)]
    store(service_engine, *made)
    with connected(service_engine) as request:
        for path in ("/queue", "/transactions"):
            reply = request(tenant.id, "GET", path)
            assert reply.status_code == 200, reply.text
            assert len(reply.json()["items"]) == 2
        exported = request(tenant.id, "GET", "/transactions.csv")
        assert exported.status_code == 200
        assert exported.text.count("fraud-demo") == 2
        for decided in made:
            reply = request(tenant.id, "GET", f"/transactions/{decided.transaction_id}")
            features = reply.json()["prediction"]["features"]
            names = [feature["name"] for feature in features]
            assert names == list(decided.prediction.described.names)


def test_a_repeated_external_id_returns_the_features_that_were_stored(
    service_engine: Engine, tenant: Tenant
) -> None:
    decided = decided_by(tenant, 3, OTHERS)
    keyed = decided._replace(transaction=replace(decided.transaction, external_id="order-1"))
    repeated = decided_by(tenant, 1, PAYSIM_FEATURES.described)._replace(
        transaction=keyed.transaction
    )
    log = DecisionLog(service_engine)
    assert log.write([keyed]) == [keyed]
    (stored,) = log.write([repeated])
    assert isinstance(stored, Decided)
    assert stored.prediction.described == OTHERS
    assert stored.prediction.features == keyed.prediction.features


def test_names_that_the_version_does_not_describe_are_read_too(
    service_engine: Engine, tenant: Tenant
) -> None:
    decided = decided_by(tenant, 1, ONE_MORE)
    store(service_engine, decided)
    read = read_decision(service_engine, tenant.id, decided.prediction_id).prediction
    assert read.described.names == (*PAYSIM_FEATURES.described.names, "visits")
    assert read.features[-1] == decided.prediction.features[0]


def test_a_version_that_the_release_before_records_has_the_first_eleven_features(
    engine: Engine, service_engine: Engine, tenant: Tenant
) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO model_versions (tenant_id, name, version, policy, calibrator_kind,"
                " first_served_at) VALUES (:tenant, 'fraud-demo', 9, '{}', 'none', :now)"
            ),
            {"tenant": tenant.id, "now": datetime.now(UTC)},
        )
    decided = decided_by(tenant, 9, PAYSIM_FEATURES.described)
    store(service_engine, decided)
    read = read_decision(service_engine, tenant.id, decided.prediction_id).prediction
    assert read.described == PAYSIM_FEATURES.described
    assert read.features == decided.prediction.features
