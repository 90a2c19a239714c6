"""The transactions that the demo scores, and the rendering of the replies."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True, slots=True)
class Sample:
    """A transaction, PaySim's or of an event type, with a description."""

    title: str
    transaction: dict[str, Any]


SAMPLES = (
    Sample(
        "A customer pays a shop 9,214.50",
        {
            "step": 311,
            "type": "PAYMENT",
            "amount": 9_214.50,
            "nameOrig": "C1231006815",
            "oldbalanceOrg": 118_360.25,
            "nameDest": "M1979787155",
            "oldbalanceDest": 0.0,
        },
    ),
    Sample(
        "A large transfer, a third of the balance, to an account that is in use",
        {
            "step": 312,
            "type": "TRANSFER",
            "amount": 152_400.00,
            "nameOrig": "C840083671",
            "oldbalanceOrg": 461_730.10,
            "nameDest": "C38997010",
            "oldbalanceDest": 1_204_877.36,
        },
    ),
    Sample(
        "A transfer of everything to an account that never held anything",
        {
            "step": 312,
            "type": "TRANSFER",
            "amount": 461_730.10,
            "nameOrig": "C1305486145",
            "oldbalanceOrg": 461_730.10,
            "nameDest": "C553264065",
            "oldbalanceDest": 0.0,
        },
    ),
    Sample(
        "Cash withdrawn in the same hour, again to the last cent",
        {
            "step": 312,
            "type": "CASH_OUT",
            "amount": 461_730.10,
            "nameOrig": "C553264065",
            "oldbalanceOrg": 461_730.10,
            "nameDest": "C1360767589",
            "oldbalanceDest": 20_511.00,
        },
    ),
)


def score(client: httpx.Client, sample: Sample) -> dict[str, Any]:
    """Score a sample with POST /score.

    Raises:
        httpx.HTTPError: the service did not reply with 200.
    """
    response = client.post("/score", json=sample.transaction)
    response.raise_for_status()
    reply: dict[str, Any] = response.json()
    return reply


def reason(error: httpx.HTTPError) -> str:
    """Return why a request did not succeed: the service's own sentences where it has replied."""
    if not isinstance(error, httpx.HTTPStatusError):
        return str(error)
    try:
        problem = error.response.json()
        faults = "".join(f" {one['field']} {one['message']}." for one in problem.get("errors", ()))
        return f"{problem['detail']}{faults}"
    except (ValueError, LookupError, TypeError):
        return str(error)


def compact(reply: dict[str, Any]) -> str:
    """Render JSON with one line a member and one a list item: a reply takes twenty lines."""
    lines = []
    for key, value in reply.items():
        if isinstance(value, list) and value:
            items = ",\n    ".join(json.dumps(item) for item in value)
            lines.append(f"{json.dumps(key)}: [\n    {items}\n  ]")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value)}")
    return "{\n  " + ",\n  ".join(lines) + "\n}"


def curl(environment_file: str, sample: Sample) -> str:
    """Return a shell command that scores the sample again."""
    return (
        f". {shlex.quote(environment_file)} && curl -s $SENTINEL_URL/score "
        '-H "Authorization: Bearer $SENTINEL_API_KEY" -H "Content-Type: application/json" '
        f"-d {shlex.quote(json.dumps(sample.transaction))}"
    )
