"""The form of a rule, as the request that it stands for."""

from __future__ import annotations

import pytest

from console.rules.form import Problems, RuleForm
from scoring.errors import InvalidRequest


def test_a_change_is_of_the_version_that_the_form_was_made_from() -> None:
    form = RuleForm(
        name=" Large ", condition="amount > 5", action="review", state="live", version=7
    )
    change = form.change()
    assert (change.version, change.name, change.state) == (7, "Large", "live")


@pytest.mark.parametrize(
    ("fields", "named"),
    [({"name": " "}, "name"), ({"action": "burn"}, "action"), ({"priority": "x"}, "priority")],
)
def test_what_is_wrong_with_a_change_is_named_by_its_field(
    fields: dict[str, str], named: str
) -> None:
    form = RuleForm(name="Large", condition="amount > 5", version=7).model_copy(update=fields)
    with pytest.raises(InvalidRequest) as refused:
        form.change()
    assert list(Problems.of(refused.value).fields) == [named]
