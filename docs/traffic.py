"""Send a simulated month to a running service, and give feedback on it as analysts would.

    . .sentinel/demo.env && export SENTINEL_URL SENTINEL_API_KEY
    python docs/traffic.py 20000

It produces the data for the steps of docs/lifecycle.md: every payment is scored, every alert gets
feedback, and the frauds that were approved are reported, as chargebacks are. SENTINEL_URL is the
service's address and SENTINEL_API_KEY a key with the scopes score and review.
"""

from __future__ import annotations

import os
from typing import Any

import click
import httpx
import numpy as np
from rich.console import Console
from rich.progress import track

from sentinel.errors import Command
from sentinel.local.terminal import open_console
from training.data.simulator import simulate

BATCH = 500
FIELDS = ("step", "type", "amount", "nameOrig", "oldbalanceOrg", "nameDest", "oldbalanceDest")


@click.command(cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("payments", type=click.IntRange(1_000, 1_000_000), default=20_000)
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
def main(payments: int, seed: int, honest_share: float) -> None:
    """Score about PAYMENTS simulated payments, and report which were fraud."""
    try:
        url, key = os.environ["SENTINEL_URL"], os.environ["SENTINEL_API_KEY"]
    except KeyError as missing:
        raise click.ClickException(
            f"{missing.args[0]} is not set or not exported; .sentinel/demo.env has the demo's."
        ) from None
    month = simulate(payments, seed)
    fraud = month.column("isFraud").to_numpy() == 1
    is_sent = fraud | (np.random.default_rng(seed).random(len(fraud)) < honest_share)
    bodies = month.filter(is_sent).select(FIELDS).to_pylist()
    frauds = fraud[is_sent].tolist()
    console = open_console()
    headers = {"Authorization": f"Bearer {key}"}
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False) as client:
            reviewed = score(client, bodies, frauds, console)
            give_feedback(client, reviewed, console)
    except httpx.HTTPStatusError as error:
        raise click.ClickException(
            f"The service refused a request: {error.response.text} The payments are PaySim's; a "
            "tenant with an event type of its own does not take them."
        ) from error
    except httpx.HTTPError as error:
        raise click.ClickException(f"The requests to {url} failed: {error}") from error
    confirmed = sum(fraud for _, fraud in reviewed)
    console.print(
        f"{len(bodies):,} payments scored; {confirmed:,} frauds confirmed, "
        f"{len(reviewed) - confirmed:,} false alarms settled.",
    )


def score(
    client: httpx.Client, bodies: list[dict[str, Any]], frauds: list[bool], console: Console
) -> list[tuple[str, bool]]:
    """Score every payment; return id and label of those that are reviewed or reported."""
    reviewed = []
    for start in track(range(0, len(bodies), BATCH), "Scoring", console=console, transient=True):
        batch = bodies[start : start + BATCH]
        reply = client.post("/score/batch", json={"transactions": batch}).raise_for_status()
        for result, fraud in zip(reply.json()["results"], frauds[start:], strict=False):
            if fraud or result["decision"] == "review":
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
