"""The canary's share of accounts has the right size, and a larger share keeps its accounts."""

from __future__ import annotations

import pytest

from scoring.errors import NoModel
from scoring.event_type.validation import EventValidator
from scoring.prediction import ModelVersion
from serving.deployment.assignment import DeploymentState, ModelAssignment, is_canary, percent_from
from tests.support.event_types import NOW_US, an_event, an_event_type
from tests.support.factories import a_transaction

VERSION = ModelVersion("fraud-demo", 7)
ACCOUNTS = [f"C{number}" for number in range(20_000)]


def accounts_in(percent: float, version: ModelVersion = VERSION) -> set[str]:
    return {account for account in ACCOUNTS if is_canary(version, percent, account)}


@pytest.mark.parametrize("percent", [0.5, 5.0, 50.0])
def test_the_share_of_accounts_is_the_percentage(percent: float) -> None:
    share = 100 * len(accounts_in(percent)) / len(ACCOUNTS)
    # Five standard deviations of a binomial share.
    assert abs(share - percent) < 5 * (percent * (100 - percent) / len(ACCOUNTS)) ** 0.5


def test_no_account_is_in_at_0_percent_and_every_account_at_100() -> None:
    assert accounts_in(0.0) == set()
    assert accounts_in(100.0) == set(ACCOUNTS)


def test_a_larger_percentage_keeps_the_accounts_that_were_in() -> None:
    assert accounts_in(1.0) < accounts_in(10.0) < accounts_in(60.0)


def test_another_version_has_other_accounts() -> None:
    others = accounts_in(10.0, ModelVersion("fraud-demo", 8))
    assert len(others & accounts_in(10.0)) < len(others) / 2


def test_the_hash_is_the_same_in_every_process_and_release() -> None:
    assert sorted(accounts_in(0.05)) == [
        "C1143",
        "C12040",
        "C15541",
        "C1804",
        "C18894",
        "C4101",
        "C7822",
        "C9710",
        "C9841",
    ]


@pytest.mark.parametrize(("text", "percent"), [("0", 0.0), ("12.5", 12.5), (" 100 ", 100.0)])
def test_a_share_is_a_decimal_number(text: str, percent: float) -> None:
    assert percent_from(text) == percent


@pytest.mark.parametrize("text", ["", "ten", "-1", "100.1", "nan", "inf", "5%"])
def test_a_text_that_is_no_share_raises_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number from 0 to 100"):
        percent_from(text)


def test_a_tenant_in_test_mode_without_a_model_reads_what_is_decided_without_one() -> None:
    assignment = ModelAssignment(DeploymentState(True, None, None, 0.0), champion=None)
    with pytest.raises(NoModel, match="only the transactions with nameOrig TEST-APPROVE, TEST-"):
        assignment.decider(a_transaction())
    own = EventValidator(an_event_type()).validate(an_event(), NOW_US)
    with pytest.raises(NoModel, match="in test mode no card_payment is decided without one"):
        assignment.decider(own)
    assert not assignment.is_fixed_test(own)
