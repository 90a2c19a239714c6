"""A real Prometheus that scrapes a service each second, and the project's rules and panels."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from sentinel.local.processes import Child
from tests.support.paths import PROJECT
from tools.prometheus import find

DEPLOY = PROJECT / "deploy"
RULES = sorted(
    path for path in (DEPLOY / "prometheus").glob("alerts*.yaml") if "test" not in path.stem
)
"""Files of alerts and recordings; `<name>_test.yaml` beside each has its cases."""
DASHBOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
_SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\{")
_RECORDED = re.compile(r"\bsentinel:[a-z0-9_:]+")


def promtool(*arguments: str, folder: Path = DEPLOY / "prometheus") -> str:
    """Run promtool, assert that it succeeds, and return its output."""
    done = subprocess.run(
        [find() / "promtool", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def alerts() -> dict[str, dict[str, Any]]:
    """Return the alerts by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def rules() -> list[dict[str, Any]]:
    """Return alerts and recordings."""
    return [
        rule
        for path in RULES
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]


def panels(dashboard: Path) -> list[dict[str, Any]]:
    """Return the panels of a dashboard that show something."""
    document = json.loads(dashboard.read_text())["panels"]
    return [panel for panel in document if panel["type"] != "row"]


def query(target: dict[str, Any]) -> str:
    """Return a panel's query with the default values of Grafana's variables."""
    expression: str = target["expr"]
    for variable, value in {
        "$__rate_interval": "30s",
        "$instance": ".*",
        "$model": ".*",
        "$tenant": ".*",
    }.items():
        expression = expression.replace(variable, value)
    assert "$" not in expression, expression
    return expression


def metric_names(expression: str) -> set[str]:
    """Return the metrics that a query names; each has to be written with its braces."""
    return {*_SELECTOR.findall(expression), *_RECORDED.findall(expression)}


class Prometheus:
    """A running server."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, trust_env=False, timeout=30)

    def ask(self, path: str, **parameters: str) -> Any:
        """Return the data of an API call."""
        reply = self._client.get(f"/api/v1/{path}", params=parameters)
        assert reply.is_success, f"{parameters}: {reply.text}"
        return reply.json()["data"]

    def evaluate(self, expression: str) -> list[dict[str, Any]]:
        """Return the samples of a query now."""
        reply: list[dict[str, Any]] = self.ask("query", query=expression)["result"]
        return reply

    def names(self) -> set[str]:
        """Return every metric that it has seen."""
        return set(self.ask("label/__name__/values"))


def _each_second(rules_file: Path, home: Path) -> Path:
    """Copy a file of rules without the intervals of its groups, and return the copy."""
    content = yaml.safe_load(rules_file.read_text())
    for group in content["groups"]:
        group.pop("interval", None)
    copy = home / rules_file.name
    copy.write_text(yaml.safe_dump(content))
    return copy


@contextmanager
def scraping(target: str, home: Path, port: int) -> Iterator[Prometheus]:
    """Run Prometheus with the project's configuration, but its target and intervals."""
    home.mkdir()
    settings = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    settings["global"] |= {"scrape_interval": "1s", "evaluation_interval": "1s"}
    settings["rule_files"] = [str(_each_second(path, home)) for path in RULES]
    (job,) = settings["scrape_configs"]
    job.pop("dns_sd_configs")
    job["static_configs"] = [{"targets": [target]}]
    (home / "prometheus.yml").write_text(yaml.safe_dump(settings))
    child = Child(
        "Prometheus",
        [
            str(find() / "prometheus"),
            f"--config.file={home / 'prometheus.yml'}",
            f"--storage.tsdb.path={home / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        log=home / "prometheus.log",
        environment=dict(os.environ),
        directory=home,
    )
    server = Prometheus(f"http://127.0.0.1:{port}")

    def has_scraped() -> bool:
        try:
            return bool(server.evaluate('up{job="sentinel"} == 1'))
        except httpx.TransportError:
            return False
        except AssertionError:  # it answers 503 until it has read its own data
            return False

    try:
        child.wait_until(has_scraped, 30)
        yield server
    finally:
        child.stop()
