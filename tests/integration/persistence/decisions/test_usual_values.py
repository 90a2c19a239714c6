"""A stored decision is read with the usual values of the version that made it."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Engine

from persistence.decisions.rows import Decided, read_decision
from persistence.deployments.recording import record_challenger, record_promotions
from persistence.review.worklist import REVIEWS, read_case, read_worklist
from persistence.tenants import Tenant
from scoring.features import FEATURE_NAMES
from scoring.prediction import ModelVersion
from tests.support.data.review import decide, store
from tests.support.factories import a_model, feature_rows
from tests.support.fixture_types import MakeTenant
from training.pipeline.distribution import distribution


def test_a_decision_is_read_with_what_was_usual_for_the_version_that_made_it(
    engine: Engine, service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant, other_tenant = make_tenant(), make_tenant("other")
    matrix = feature_rows(200)
    described = distribution(matrix, matrix[:, 1] / matrix[:, 1].max(), FEATURE_NAMES)
    models = {
        number: replace(
            a_model(), distribution=described, version=ModelVersion("fraud-demo", number)
        )
        for number in (2, 3)
    }
    record_promotions(service_engine, [tenant.id], models[2])
    record_challenger(service_engine, tenant.id, models[3], 5.0)
    expected = models[2].version
    assert expected is not None
    assert expected.usual

    by_version = {number: _decided_by(engine, tenant, number) for number in (1, 2, 3)}
    elsewhere = _decided_by(engine, other_tenant, 1)

    for number, decided in by_version.items():
        usual = {} if number == 1 else expected.usual
        stored = read_decision(service_engine, tenant.id, decided.prediction_id)
        case = read_case(service_engine, tenant.id, decided.transaction_id)
        assert stored.prediction.model.usual == usual
        assert case.decided.prediction.model.usual == usual
    listed = read_worklist(service_engine, tenant.id, REVIEWS, undecided=True, limit=9).entries
    models_listed = [case.decided.prediction.model for case in listed]
    assert {model.version: model.usual for model in models_listed} == {
        1: {},
        2: expected.usual,
        3: expected.usual,
    }
    stored = read_decision(service_engine, other_tenant.id, elsewhere.prediction_id)
    assert stored.prediction.model.usual == {}


def _decided_by(engine: Engine, tenant: Tenant, version: int) -> Decided:
    decided = decide(tenant, 0.9, ModelVersion("fraud-demo", version))
    store(engine, decided)
    return decided
