"""Payments of a simulated month, so that the demo's console has something to review."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import orjson

MONTH = 20_000
"""Payments of the simulated month."""
SEED = 11
"""Seed of the month; the demo's model is trained on one of another seed."""
_HONEST_SHARE = 0.2
"""Share of the honest payments that are sent: fraud is five times as common as in the month."""
_BATCH = 500


def send_payments(client: httpx.Client, report: Callable[[str], None]) -> tuple[int, int]:
    """Score simulated payments, and report half of the frauds as chargebacks.

    Args:
        client: client of the service, with the key of the tenant.
        report: function that shows a phrase on the progress.

    Returns:
        Number of payments, and of those that wait for an analyst.

    Raises:
        httpx.HTTPError: the service did not take a request.
    """
    # Imported late: Arrow takes 0.3 s to load.
    import numpy as np

    from scoring.transaction import PAYSIM
    from sentinel.history_rows import Documents
    from training.data.loading import from_table
    from training.data.simulator import simulate

    month = from_table(simulate(MONTH, SEED), "simulator")
    chance = np.random.default_rng(SEED).random(len(month))
    sent = np.flatnonzero(month.is_fraud | (chance < _HONEST_SHARE))
    bodies = [orjson.loads(document) for document in Documents(PAYSIM, month.columns).of(sent)]
    is_fraud, waiting = month.is_fraud[sent].tolist(), 0
    frauds: list[str] = []
    for start in range(0, len(bodies), _BATCH):
        report(f"{start:,} of {len(bodies):,}")
        batch = {"transactions": bodies[start : start + _BATCH]}
        results = client.post("/score/batch", json=batch).raise_for_status().json()["results"]
        waiting += sum(result["decision"] == "review" for result in results)
        frauds += [
            result["transaction_id"]
            for result, fraud in zip(results, is_fraud[start:], strict=False)
            if fraud
        ]
    _report_chargebacks(client, frauds[::2])
    return len(bodies), waiting


def _report_chargebacks(client: httpx.Client, transaction_ids: list[str]) -> None:
    about = {"label": "fraud", "source": "chargeback"}
    labels = [{"transaction_id": one, **about} for one in transaction_ids]
    client.post("/labels", json={"labels": labels}).raise_for_status()
