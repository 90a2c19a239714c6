"""The worker that decides uploads, with a model of the test's own; and files."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from typing import Any, cast
from uuid import uuid4

from sqlalchemy import Engine

from observability.tracing import Traces
from persistence.actor import Actor
from persistence.decisions.writer import DecisionLog
from persistence.event_types import current_event_type
from persistence.uploads.steps import start_upload
from persistence.uploads.storing import store_upload
from persistence.uploads.work import Chunk, claim_upload, store_chunk
from scoring.errors import NoModel
from scoring.event_type.fields import EventType
from scoring.event_type.validation import EventValidator
from scoring.model.booster_locks import BoosterLocks
from scoring.model.fraud_model import FraudModel
from scoring.transaction import PAYSIM
from serving.batching.batch_scorer import BatchScorer
from serving.batching.predictor import Predictor
from serving.deployment.assignment import DeploymentState, ModelAssignment, ModelMisfit
from serving.history import History
from serving.prepared_entities import PreparedEntities
from serving.uploads.runner import UploadRunner

HEADER = "step,type,amount,nameOrig,oldbalanceOrg,nameDest,oldbalanceDest,note"


class _NoFolder:
    def add(self, tenant_id: int, entities: object) -> None:
        """Do nothing."""


def a_runner(engine: Engine, model: FraudModel | None, *, rest: float = 0.0) -> UploadRunner:
    """Return a worker whose every row the model decides; None: no version is in production.

    Args:
        engine: pool that acts as the service.
        model: model in production.
        rest: rest after a chunk, as a multiple of the time that it took.
    """
    history = History(engine, _NoFolder(), PreparedEntities(engine))
    no_shadow = cast("Any", None)  # there is no challenger
    predictor = Predictor(BoosterLocks(), history)
    scorer = BatchScorer(DecisionLog(engine), predictor, no_shadow, Traces())

    def assign(_tenant_id: int, event_type: EventType) -> ModelAssignment:
        if model is None:
            raise NoModel("No model version is in production for this tenant; promote one.")
        if misfit := model.features.misfit(event_type):
            raise ModelMisfit(misfit)
        return ModelAssignment(DeploymentState(False, None, None, 0.0), model)

    def validator(tenant_id: int) -> EventValidator | None:
        stored = current_event_type(engine, tenant_id)
        if stored is None or stored.event_type == PAYSIM:
            return None
        return EventValidator(stored.event_type, stored.id)

    return UploadRunner(engine, scorer, assign, validator, rest=rest)


def payments(amounts: Iterable[str], *, note: str = "") -> str:
    """Return a file of transfers with these amounts, as they are written."""
    lines = [f"{10 + i},TRANSFER,{a},C{i},1000,C9{i},0.5,{note}" for i, a in enumerate(amounts)]
    return "\n".join([HEADER, *lines, ""])


def put_upload(engine: Engine, tenant_id: int) -> None:
    """Store an upload of two rows, of which one is rejected, with a chunk."""
    actor = Actor("tests")
    file = BytesIO(payments(["1", "x"]).encode())
    number = store_upload(engine, tenant_id, file, "a.csv", (), actor=actor)
    start_upload(engine, tenant_id, number, {"amount": "amount"}, None, actor=actor)
    job = claim_upload(engine, uuid4())
    assert job is not None
    fault = [2, 3, [["amount", "amount", "must be a number"]]]
    store_chunk(engine, job, Chunk(1, 2, 1, 0, 1, 0, b"a,b", b"c,d", [fault]))
