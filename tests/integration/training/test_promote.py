"""`python -m training promote` promotes a better version with its evidence."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mlflow import MlflowClient

from registry.names import (
    CANDIDATE,
    CHALLENGER,
    PRODUCTION,
    PROMOTED_AT_TAG,
    PROMOTED_BY_TAG,
    PROMOTED_VIA_TAG,
)
from registry.publish.promotion import EVIDENCE_TAG
from scoring.model.fraud_model import FraudModel
from tests.support.data.matured_decisions import (
    Past,
    Training,
    fraud_model,
    labels_of,
    registered,
    some_transactions,
    write_csv,
)
from tests.support.data.own_events import put_in_force
from tests.support.event_types import an_event_type
from tests.support.stack import Publish, mlflow_login

TIMID, BOLD = fraud_model(threshold=0.9), fraud_model()
Aliases = Callable[[], dict[str, str]]


@pytest.fixture
def aliases(past: Past, mlflow_server: str) -> Aliases:
    """A look at the aliases of the tenant's registered model."""
    client = MlflowClient(mlflow_server)

    def look() -> dict[str, str]:
        result = client.get_registered_model(past.tenant.model_name).aliases
        return {alias: number for alias, number in result.items() if alias != CANDIDATE}

    return look


def with_a_past(past: Past, publish: Publish, first: FraudModel, second: FraudModel) -> None:
    name = past.tenant.model_name
    champion = registered(past, first, publish(name, first))
    challenger = registered(past, second, publish(name, second, alias=CHALLENGER))
    transactions = some_transactions(1_500)
    past.serve(champion, transactions, challenger, is_fraud=labels_of(transactions))


def test_a_better_challenger_is_promoted_with_its_evidence(
    past: Past, publish: Publish, training: Training, aliases: Aliases, mlflow_server: str
) -> None:
    with_a_past(past, publish, TIMID, BOLD)
    done = training("promote", "--tenant", past.tenant.slug)
    assert done.exit_code == 0, done.stderr
    assert aliases() == {PRODUCTION: "2"}, "and it is no challenger any more"
    assert f"{past.tenant.model_name} version 2 is in production." in done.stdout
    tags = MlflowClient(mlflow_server).get_model_version(past.tenant.model_name, "2").tags
    assert tags[PROMOTED_BY_TAG] == mlflow_login()["MLFLOW_TRACKING_USERNAME"]
    assert tags[PROMOTED_VIA_TAG] == "python -m training promote"
    when = datetime.fromisoformat(tags[PROMOTED_AT_TAG])
    assert abs(datetime.now(UTC) - when) < timedelta(minutes=5)
    assert re.search(r"version 2 saves [\d,]+ more .* http\S+/runs/\w+\?\S+$", tags[EVIDENCE_TAG])

    again = training("promote", "--tenant", past.tenant.slug, "--version", 2)
    assert again.exit_code == 0
    assert "version 2 is in production already." in again.stdout


def test_a_worse_challenger_is_refused_with_its_figures_unless_forced(
    past: Past, publish: Publish, training: Training, aliases: Aliases, mlflow_server: str
) -> None:
    with_a_past(past, publish, BOLD, TIMID)
    before = aliases()
    refused = training("promote", "--tenant", past.tenant.slug)
    assert refused.exit_code == 1
    assert re.search(
        rf"{past.tenant.model_name} version 2 saves [\d,]+ less \(95 %: -[\d,]+ to -[\d,]+\) than "
        r"version 1 over 1,500 matured transactions .*\. Use --force to promote it anyway\.",
        " ".join(refused.stderr.split()),
    )
    assert "frauds missed" in refused.stdout, "the table is shown all the same"
    assert aliases() == before

    forced = training("promote", "--tenant", past.tenant.slug, "--force")
    assert forced.exit_code == 0, forced.stderr
    assert re.search(r"version 2 saves [\d,]+ less", forced.stdout)
    assert aliases() == {PRODUCTION: "2"}
    tags = MlflowClient(mlflow_server).get_model_version(past.tenant.model_name, "2").tags
    assert tags[EVIDENCE_TAG].startswith("Forced. ")


def test_a_version_that_does_not_fit_the_event_type_in_force_is_said_not_to_serve(
    past: Past, publish: Publish, training: Training, aliases: Aliases
) -> None:
    with_a_past(past, publish, BOLD, TIMID)
    put_in_force(past.engine, past.tenant, an_event_type())
    done = training("promote", "--tenant", past.tenant.slug, "--force")
    assert done.exit_code == 0, done.stderr
    assert "version 2 has the alias `production`. Forced." in done.stdout
    assert "is in production" not in done.stdout
    assert (
        "The service goes on with the version before, since this one does not fit the event type "
        "in force: The model needs the field"
    ) in " ".join(done.stdout.split())
    assert aliases() == {PRODUCTION: "2"}


def test_the_first_promotion_needs_no_evidence(
    past: Past, publish: Publish, training: Training, aliases: Aliases
) -> None:
    publish(past.tenant.model_name, BOLD, alias=None)
    done = training("promote", "--tenant", past.tenant.slug, "--alias", "candidate")
    assert done.exit_code == 0, done.stderr
    assert "The first promotion" in done.stdout
    assert aliases() == {PRODUCTION: "1"}


def test_a_version_that_the_service_would_refuse_is_not_promoted_even_with_force(
    past: Past, publish: Publish, training: Training, aliases: Aliases
) -> None:
    name = past.tenant.model_name
    publish(name, TIMID)

    def spoil(folder: Path) -> None:
        (folder / "calibrator.json").write_text('{"kind": "sigmoid", "slope": 2, "intercept": 0}')

    publish(name, BOLD, alias=CHALLENGER, spoil=spoil)
    done = training("promote", "--tenant", past.tenant.slug, "--force")
    assert done.exit_code == 1
    assert f"{name} version 2 fails the service's checks: golden rows" in " ".join(
        done.stderr.split()
    )
    assert aliases() == {PRODUCTION: "1", CHALLENGER: "2"}


def test_a_version_without_shadow_scores_needs_a_file(
    past: Past, publish: Publish, training: Training, aliases: Aliases, tmp_path: Path
) -> None:
    name = past.tenant.model_name
    publish(name, TIMID)
    publish(name, BOLD, alias=None)
    slug = past.tenant.slug
    refused = training("promote", "--tenant", slug, "--version", 2)
    assert refused.exit_code == 1
    assert "has no shadow scores, because it is not the challenger" in " ".join(
        refused.stderr.split()
    )
    assert "--force" in refused.stderr
    assert "Compare it on a labelled file with --data" in " ".join(refused.stderr.split())
    transactions = some_transactions(1_500, seed=4)
    path = write_csv(tmp_path / "month.csv", transactions, labels_of(transactions, seed=4))
    done = training("promote", "--tenant", slug, "--version", 2, "--data", path)
    assert done.exit_code == 0, done.stderr
    assert "1,500 transactions of month.csv" in done.stdout
    assert aliases() == {PRODUCTION: "2"}


def test_a_forced_promotion_without_evidence_does_not_advise_to_compare(
    past: Past, publish: Publish, training: Training, aliases: Aliases, mlflow_server: str
) -> None:
    name, slug = past.tenant.model_name, past.tenant.slug
    publish(name, TIMID)
    publish(name, BOLD, alias=CHALLENGER)
    publish(name, TIMID, alias=None)
    client = MlflowClient(mlflow_server)
    for arguments, number, reason in (
        ((), "2", f"that {name} versions 1 and 2 both scored."),
        (("--version", 3), "3", "has no shadow scores, because it is not the challenger."),
    ):
        forced = training("promote", "--tenant", slug, *arguments, "--force")
        assert forced.exit_code == 0, forced.stderr
        assert aliases() == {PRODUCTION: number}
        evidence = client.get_model_version(name, number).tags[EVIDENCE_TAG]
        assert evidence.startswith("Forced. Not compared. ")
        assert evidence.endswith(reason), "no sentence of advice follows"
        assert evidence in " ".join(forced.stdout.split())


def test_an_unknown_version_or_alias_is_reported(
    past: Past, publish: Publish, training: Training
) -> None:
    name, slug = past.tenant.model_name, past.tenant.slug
    publish(name, TIMID)
    for arguments, expected in (
        (("--version", 9), f"{name} has no version 9."),
        (
            (),
            f"{name} has no version under the alias challenger. `python -m training promote "
            f"--tenant {slug} --alias candidate --data FILE` compares the newest version",
        ),
        (("--version", 1, "--alias", "challenger"), "give one of them"),
    ):
        done = training("promote", "--tenant", slug, *arguments)
        assert done.exit_code != 0
        assert expected in " ".join(done.stderr.split())
