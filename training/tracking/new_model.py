"""Notice a registered model that MLflow does not know, such as that of a mistyped tenant."""

from __future__ import annotations

import os
from difflib import get_close_matches

from registry.names import model_name
from registry.publish.tracking import Tracking
from sentinel.known_tenant import KNOWN_TENANT
from training.progress import Reporter

_SIMILAR = 0.8
"""Least similarity of two names; `fraud-acmee` and `fraud-acme` have 0.95."""


def warn_of_new_model(tracking: Tracking, tenant: str, reporter: Reporter) -> None:
    """Warn that a training will make a new registered model, since the tenant may not exist.

    Training needs no Postgres, so MLflow's models are all that it knows of tenants. The first model
    of an MLflow, as of a new installation, is a note: there is none that could have been meant.

    Args:
        tracking: MLflow client.
        tenant: slug of the tenant.
        reporter: display of the warning.

    Raises:
        PublishError: MLflow refuses the request.
    """
    name = model_name(tenant)
    names = _registered_models(tracking)
    if name in names:
        return
    if os.environ.get(KNOWN_TENANT) == tenant:
        reporter.note(f"{name} is new in this MLflow; this makes its version 1.")
        return
    report = reporter.warn if names else reporter.note
    report(
        f"{name} is new in this MLflow; this makes its version 1. {_did_you_mean(name, names)}"
        f"If there is no tenant {tenant}, `sentinel tenants create {tenant}` creates it; "
        "`sentinel tenants list` shows the tenants."
    )


def hint_on_missing_model(tracking: Tracking, name: str) -> str:
    """Return a sentence if MLflow does not have the registered model, else an empty string.

    Raises:
        PublishError: MLflow refuses the request.
    """
    names = _registered_models(tracking)
    if name in names:
        return ""
    return f"MLflow has no such model. {_did_you_mean(name, names)}".rstrip()


def _did_you_mean(name: str, names: list[str]) -> str:
    near = get_close_matches(name, names, n=1, cutoff=_SIMILAR)
    return f"Did you mean {near[0]}? " if near else ""


def _registered_models(tracking: Tracking) -> list[str]:
    with tracking.translate_errors():
        return [model.name for model in tracking.client.search_registered_models(max_results=1000)]
