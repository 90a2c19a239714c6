"""Send a simulated month through a running service, and settle it as analysts would.

    . .sentinel/demo.env && export SENTINEL_URL SENTINEL_API_KEY
    python docs/traffic.py 20000

It gives the steps of docs/lifecycle.md something to show: every payment is scored, every alert gets
a verdict, and the frauds that were approved are reported, as chargebacks are. SENTINEL_URL and
SENTINEL_API_KEY (scopes score and review) say where.
"""

from __future__ import annotations

import os
from typing import Any

import click
import httpx
import numpy as np
from rich.console import Console
from rich.progress import track

from training.data.simulator import simulate

BATCH = 500
FIELDS = ("step", "type", "amount", "nameOrig", "oldbalanceOrg", "nameDest", "oldbalanceDest")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("payments", type=click.IntRange(1_000, 1_000_000), default=20_000)
@click.option(
    "--seed", default=11, show_default=True, help="Of the month; the demo's model is fitted on 7."
)
@click.option(
    "--honest-share",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Of the honest payments; a half makes fraud about twice as common.",
)
def main(payments: int, seed: int, honest_share: float) -> None:
    """Score about PAYMENTS simulated payments, and say which were fraud."""
    try:
        url, key = os.environ["SENTINEL_URL"], os.environ["SENTINEL_API_KEY"]
    except KeyError as missing:
        raise click.ClickException(
            f"{missing.args[0]} is not set or not exported; .sentinel/demo.env has the demo's."
        ) from None
    month = simulate(payments, seed)
    fraud = month.column("isFraud").to_numpy() == 1
    comes = fraud | (np.random.default_rng(seed).random(len(fraud)) < honest_share)
    bodies = month.filter(comes).select(FIELDS).to_pylist()
    frauds = fraud[comes].tolist()
    console = Console()
    headers = {"Authorization": f"Bearer {key}"}
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False) as client:
            verdicts = score(client, bodies, frauds, console)
            settle(client, verdicts, console)
    except httpx.HTTPError as error:
        raise click.ClickException(f"{url} did not take it: {error}") from error
    confirmed = sum(fraud for _, fraud in verdicts)
    console.print(
        f"{len(bodies):,} payments scored; {confirmed:,} frauds confirmed, "
        f"{len(verdicts) - confirmed:,} false alarms settled.",
        highlight=False,
    )


def score(
    client: httpx.Client, bodies: list[dict[str, Any]], frauds: list[bool], console: Console
) -> list[tuple[str, bool]]:
    """Score everything; each transaction's id and truth that an analyst would come to know of."""
    known = []
    for start in track(range(0, len(bodies), BATCH), "Scoring", console=console, transient=True):
        batch = bodies[start : start + BATCH]
        reply = client.post("/score/batch", json={"transactions": batch}).raise_for_status()
        for told, fraud in zip(reply.json()["results"], frauds[start:], strict=False):
            if fraud or told["decision"] == "review":
                known.append((told["transaction_id"], fraud))
    return known


def settle(client: httpx.Client, verdicts: list[tuple[str, bool]], console: Console) -> None:
    """Give feedback on each."""
    for transaction, fraud in track(verdicts, "Settling", console=console, transient=True):
        said = {
            "label": "confirmed_fraud" if fraud else "false_positive",
            "rationale": "The customer says so.",
        }
        client.post(f"/transactions/{transaction}/feedback", json=said).raise_for_status()


if __name__ == "__main__":
    main()
