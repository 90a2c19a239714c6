"""Train, promote, import the past, and score the test week through the service."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import httpx
import numpy as np

from benchmarks.load.testbed import PROJECT, Testbed, child_environment
from benchmarks.quality.data import LABEL, Cut
from benchmarks.quality.published import TEST_US, judge
from registry.names import CANDIDATE, PRODUCTION, model_name
from scoring.columns import FloatArray

BATCH = 100
"""Payments of a request. Windows of 1000 read more of the past than a request has time for."""
TENANT = "bench"

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Judged:
    """A model's figures on the test.

    Attributes:
        figures: figures of `published.judge`.
        facts: seconds of each step, numbers of features and trees.
    """

    figures: dict[str, float]
    facts: dict[str, Any]


class Experiment:
    """Runs the experiment with one feature set after another, each in a database of its own.

    Args:
        testbed: Postgres and MLflow.
        cut: files and payments.
        report: function that is called with a line about each step.
    """

    def __init__(self, testbed: Testbed, cut: Cut, report: Report) -> None:
        self._testbed = testbed
        self._cut = cut
        self._report = report
        self._event_type = testbed.home / "event-type.yaml"
        self._event_type.unlink(missing_ok=True)
        self._run(
            *("sentinel", "event-types", "infer", str(cut.training)),
            *("--label", LABEL, "--output", str(self._event_type)),
        )

    def run(self, name: str, features: Path | None = None) -> Judged:
        """Return the figures of a model.

        Args:
            name: name of the model.
            features: file of the feature set; None for the suggested one, whose windows need the
                past.
        """
        registered = model_name(name)
        database, key = self._testbed.tenant(f"bench_{name}", registered)
        seconds = {}
        given = ["--features", str(features)] if features else []
        seconds["train"] = self._run(
            *("training", "train", "--tenant", name, "--event-type", str(self._event_type)),
            *("--data", str(self._cut.training), *given),
        )
        client = self._testbed.tracking.client
        version = client.get_model_version_by_alias(registered, CANDIDATE).version
        client.set_registered_model_alias(registered, PRODUCTION, str(version))
        self._run(
            *("sentinel", "event-types", "apply", str(self._event_type), "--tenant", TENANT),
            database=database,
        )
        if features is None:
            seconds["import"] = self._run(
                *("sentinel", "history", "import", str(self._cut.past), "--tenant", TENANT),
                *("--label-delay", "7d"),
                database=database,
            )
        begun = time.monotonic()
        score = self._scored(name, database, key)
        seconds["score"] = time.monotonic() - begun
        everything = np.zeros(len(self._cut.payments.time_us))
        everything[np.searchsorted(self._cut.payments.time_us, TEST_US) :] = score
        facts = {f"{step}_s": round(took, 1) for step, took in seconds.items()}
        return Judged(judge(self._cut.payments, everything), facts)

    def _run(self, module: str, *arguments: str, database: str | None = None) -> float:
        """Run one of the project's commands; return how many seconds it took."""
        self._report(f"python -m {module} {' '.join(arguments)}")
        environment = child_environment(
            MLFLOW_TRACKING_URI=self._testbed.mlflow.url,
            **self._testbed.mlflow.login.environment,
            SENTINEL_HOME=str(self._testbed.home),
            **({"DATABASE_URL": database} if database else {}),
        )
        begun = time.monotonic()
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", module, *arguments],
            env=environment,
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            last = (done.stdout.strip() or "it printed nothing").splitlines()[-1]
            raise click.ClickException(f"python -m {module} {arguments[0]} failed: {last}")
        return time.monotonic() - begun

    def _scored(self, name: str, database: str, key: str) -> FloatArray:
        """Return the scores of the test's payments, sent in order of time."""
        child, port = self._testbed.serve(name, database)
        headers = {"Authorization": f"Bearer {key}"}
        url = f"http://127.0.0.1:{port}"
        try:
            with httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False) as client:
                return self._send(client)
        finally:
            child.stop()

    def _send(self, client: httpx.Client) -> FloatArray:
        bodies: Sequence[dict[str, object]] = self._cut.bodies
        scores: list[float] = []
        for start in range(0, len(bodies), BATCH):
            batch = {"transactions": bodies[start : start + BATCH]}
            reply = client.post("/score/batch", json=batch)
            if not reply.is_success:
                raise click.ClickException(f"/score/batch answered {reply.text}")
            scores += [one["score"] for one in reply.json()["results"]]
            if start // BATCH % 100 == 0:
                self._report(f"Scored {len(scores):,} of {len(bodies):,} payments.")
        return np.array(scores)
