"""The model that scores uploads, what works on them, and who sends them."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from scoring.model.fraud_model import FraudModel
from scoring.prediction import ModelVersion
from serving.uploads.runner import UploadRunner
from tests.support.console.site import Person, Site
from tests.support.data.uploads import a_runner
from tests.support.factories import a_model


@pytest.fixture
def model() -> FraudModel:
    """The model in production."""
    return a_model(version=ModelVersion("fraud-demo", 1))


@pytest.fixture
def runner(service_engine: Engine, model: FraudModel) -> UploadRunner:
    """What decides the rows, on the test's thread."""
    return a_runner(service_engine, model)


@pytest.fixture
def senior(site: Site) -> Person:
    """A senior analyst, who may upload."""
    return site.person("senior")
