"""`sentinel monitor`: compute and store the drift of every version that decided lately."""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine

from persistence.drift.bin_counts import Window, versions_in
from persistence.drift.checks import Check, Measure, Run, check_drift, latest_run
from persistence.tenants import Tenant
from registry.client.base import RegistryReader, RegistryUnavailable
from registry.names import MODEL_PATH
from scoring.errors import ModelRefused
from scoring.evaluation.drift import SCORE, Binned, training_distribution
from scoring.prediction import ModelVersion

MAX_FEATURES_BYTES = 1024 * 1024
MAX_WINDOW = timedelta(days=366)
LOG_WIDTH = 160
"""Characters of a line where there is no terminal."""

_MOVED = ("moderate", "major")
_WINDOW = re.compile(r"([1-9]\d{0,4})([hd])")


def parse_window(text: str) -> timedelta:
    """Read a length of time such as `24h` or `7d`.

    Raises:
        ValueError: the text is no length of time, or it is longer than MAX_WINDOW.
    """
    match = _WINDOW.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a number of hours or days, such as 24h or 7d")
    count = int(match[1])
    length = timedelta(hours=count) if match[2] == "h" else timedelta(days=count)
    if length > MAX_WINDOW:
        raise ValueError(f"{text!r} is longer than {MAX_WINDOW.days} days")
    return length


def monitor(
    engine: Engine, registry: RegistryReader, tenants: Iterable[Tenant], window: Window
) -> Iterator[tuple[Tenant, Run]]:
    """Compare the inputs and scores of tenants' versions with their training; store the drift.

    Args:
        engine: database pool of the tables' owner, with OPERATOR_TIMEOUT_S.
        registry: client of the registry that has the versions.
        tenants: tenants whose versions are compared.
        window: period of the predictions.

    Yields:
        Each tenant's run when it is stored. A tenant without a version in production and without a
        decision in the window has no run.

    Raises:
        RegistryUnavailable: MLflow does not return a version; raised after the last tenant. The
            tenants with other versions have their runs.
        StoreUnavailable: Postgres cannot be reached. The runs of the earlier tenants are stored,
            that of the current one is not.
    """
    known: dict[ModelVersion, Mapping[str, Binned] | str] = {}
    missing: dict[ModelVersion, RegistryUnavailable] = {}
    for tenant in tenants:
        versions = versions_in(engine, tenant.id, window)
        for version in versions.keys() - known.keys() - missing.keys():
            try:
                known[version] = _trained(registry, version)
            except RegistryUnavailable as error:
                missing[version] = error
        if versions and not versions.keys() & missing.keys():
            check_drift(engine, tenant.id, window, {v: known[v] for v in versions})
            run = latest_run(engine, tenant.id)
            if run is not None:
                yield tenant, run
    if missing:
        version, cause = next(iter(missing.items()))
        name = f"{version.name} version {version.version}"
        raise RegistryUnavailable(f"{name} was not measured: {cause}") from cause


def _trained(registry: RegistryReader, version: ModelVersion) -> Mapping[str, Binned] | str:
    """Return the training distribution of a version, or the reason why there is none."""
    registered = registry.find(version.name, version.version)
    if registered is None:
        return "MLflow does not have the version any more, so its training distribution is gone."
    with tempfile.TemporaryDirectory(prefix="sentinel-monitor-") as folder:
        file = Path(folder) / "features.json"
        try:
            path = f"{MODEL_PATH}/features.json"
            if not registry.download(registered, path, file, MAX_FEATURES_BYTES):
                return "The version has no features.json."
            content = json.loads(file.read_bytes())
            trained = training_distribution(content.get("distribution", {}))
        except ModelRefused as error:
            return f"features.json cannot be read: {error.detail}"
        except (AttributeError, ValueError) as error:
            return f"features.json cannot be read: {error}"
    return trained or "The version carries no training distribution; train it again to measure it."


def show(runs: Iterable[tuple[Tenant, Run]], window: Window, console: Console) -> None:
    """Print runs as a table on a console: a line for each version."""
    table = Table(
        title=f"Drift from training, {window.since:%F %R} to {window.until:%F %R} UTC (PSI)",
        title_justify="left",
        box=SIMPLE,
    )
    table.add_column("tenant", overflow="fold")
    table.add_column("version", overflow="fold")
    table.add_column("predictions", justify="right")
    table.add_column("score")
    table.add_column("features", ratio=1)
    for tenant, run in runs:
        for check in run.checks:
            name = f"{check.version.name} {check.version.version}"
            role = " (production)" if check.is_in_production else ""
            score, features = _describe(check)
            table.add_row(tenant.slug, name + role, f"{check.predictions:,}", score, features)
    if not console.is_terminal:
        console.width = LOG_WIDTH
    console.print(table)


def _describe(check: Check) -> tuple[str, str]:
    """Return the texts for the score and for the features, those that moved most first."""
    if check.note:
        return "", check.note
    features = sorted(check.measures, key=lambda m: m.shift.psi or 0.0, reverse=True)
    features = [m for m in features if m.name != SCORE]
    score = [_measure(m) for m in check.measures if m.name == SCORE]
    moved = [f"{m.name} {_measure(m)}" for m in features if m.shift.level in _MOVED]
    others = Counter(m.shift.level for m in features if m.shift.level not in _MOVED)
    return ", ".join(score), ", ".join(
        [*moved, *(f"{count} {level}" for level, count in others.items())]
    )


def _measure(measure: Measure) -> str:
    shift = measure.shift
    return shift.level if shift.psi is None else f"{shift.psi:.3f} {shift.level}"
