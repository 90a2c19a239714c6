"""Send payments to a running service, and give feedback on them as analysts would.

    . .sentinel/demo.env && export SENTINEL_URL SENTINEL_API_KEY
    python docs/traffic.py 20000

It produces the data for the steps of docs/lifecycle.md: every payment is scored, what is reviewed
or declined gets feedback, and the frauds that were approved are reported, as chargebacks are.
SENTINEL_URL is the service's address and SENTINEL_API_KEY a key with the scopes score and review.

Without --data the payments are a simulated month of PaySim. A tenant with an event type of its own
takes its own events alone: --data names a labelled file of them, of which the last are sent.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click
import httpx
import numpy as np
from rich.console import Console
from rich.progress import track

from scoring.columns import BoolArray
from scoring.counted import counted
from scoring.event_type.document import from_document
from scoring.event_type.fields import EventType
from scoring.transaction import PAYSIM
from sentinel.errors import Command
from sentinel.history_rows import Documents
from sentinel.local.terminal import open_console
from training.data.loading import from_table
from training.data.simulator import simulate
from training.event_types.training_data import read_labelled

BATCH = 500


@click.command(cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("payments", type=click.IntRange(1_000, 1_000_000), default=20_000)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Labelled file of the tenant's events, CSV or Parquet.  "
    "[default: a simulated month of PaySim]",
)
@click.option(
    "--seed", default=11, show_default=True, help="Seed of the month; the demo's model uses 7."
)
@click.option(
    "--honest-share",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Share of honest payments to send; 0.5 makes fraud about twice as common.",
)
def main(payments: int, data: Path | None, seed: int, honest_share: float) -> None:
    """Score about PAYMENTS payments, and report which were fraud."""
    try:
        url, key = os.environ["SENTINEL_URL"], os.environ["SENTINEL_API_KEY"]
    except KeyError as missing:
        raise click.ClickException(
            f"{missing.args[0]} is not set or not exported; .sentinel/demo.env has the demo's."
        ) from None
    console = open_console()
    headers = {"Authorization": f"Bearer {key}"}
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False) as client:
            event_type = event_type_of(client)
            bodies, fraud = labelled_bodies(event_type, payments, data, seed)
            is_sent = fraud | (np.random.default_rng(seed).random(len(fraud)) < honest_share)
            sent = [bodies[i] for i in np.flatnonzero(is_sent)]
            reviewed = score(client, sent, fraud[is_sent].tolist(), console)
            give_feedback(client, reviewed, console)
    except httpx.HTTPStatusError as error:
        raise click.ClickException(
            f"The service refused a request: {error.response.text}"
        ) from error
    except httpx.HTTPError as error:
        raise click.ClickException(f"The requests to {url} failed: {error}") from error
    confirmed = sum(fraud for _, fraud in reviewed)
    console.print(
        f"{counted(len(sent), 'payment')} scored; {counted(confirmed, 'fraud')} confirmed, "
        f"{counted(len(reviewed) - confirmed, 'false alarm')} settled.",
    )


def event_type_of(client: httpx.Client) -> EventType:
    """Return the event type that the key's tenant sends."""
    found = client.get("/event-type").raise_for_status().json()
    sent = from_document({key: found[key] for key in ("name", "label", "fields") if key in found})
    return PAYSIM if sent == PAYSIM else sent


def labelled_bodies(
    event_type: EventType, payments: int, data: Path | None, seed: int
) -> tuple[list[dict[str, Any]], BoolArray]:
    """Return payments in time order as /score takes them, and which of them are frauds.

    Args:
        event_type: event type of the tenant.
        payments: number of payments to simulate, or most of a file.
        data: labelled file of events; None for a simulated month.
        seed: seed of the month.
    """
    if data is None and event_type is not PAYSIM:
        raise click.ClickException(
            f"The tenant sends {event_type.name}, which cannot be simulated: name a labelled file "
            "of its events with --data."
        )
    found = (
        from_table(simulate(payments, seed), "simulator")
        if data is None
        else read_labelled(data, event_type, seed)
    )
    rows = np.arange(max(0, len(found) - payments) if data else 0, len(found))
    documents = Documents(event_type, found.columns).of(rows)
    return [json.loads(document) for document in documents], found.is_fraud[rows]


def score(
    client: httpx.Client, bodies: list[dict[str, Any]], frauds: list[bool], console: Console
) -> list[tuple[str, bool]]:
    """Score every payment; return id and label of those that are stopped or reported."""
    reviewed = []
    for start in track(range(0, len(bodies), BATCH), "Scoring", console=console, transient=True):
        batch = bodies[start : start + BATCH]
        reply = client.post("/score/batch", json={"transactions": batch}).raise_for_status()
        for result, fraud in zip(reply.json()["results"], frauds[start:], strict=False):
            if fraud or result["decision"] != "approve":
                reviewed.append((result["transaction_id"], fraud))
    return reviewed


def give_feedback(client: httpx.Client, reviewed: list[tuple[str, bool]], console: Console) -> None:
    """Give feedback on each transaction."""
    for transaction, fraud in track(reviewed, "Feedback", console=console, transient=True):
        feedback = {
            "label": "confirmed_fraud" if fraud else "false_positive",
            "rationale": "Confirmed with the customer.",
        }
        client.post(f"/transactions/{transaction}/feedback", json=feedback).raise_for_status()


if __name__ == "__main__":
    main()
