"""The alerting rules are valid, evaluate on a running service, and each has a runbook."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from observability.metrics import SHADOW_DROPPED
from tests.support.observability.observed_service import Watched
from tests.support.observability.prometheus import (
    DASHBOARDS,
    DEPLOY,
    RULES,
    alerts,
    metric_names,
    panels,
    promtool,
    rules,
)
from tests.support.paths import PROJECT

RUNBOOKS = PROJECT / "docs" / "runbooks.md"
WATCHDOG = "SentinelWatchdog"
DOCS = "sentinel_docs"
"""External label with the address of the runbooks."""
NOT_IN_A_CALM_RUN = {f"{metric._name}_total" for metric in (SHADOW_DROPPED,)} | {
    "sentinel_tenant_key_expiry_timestamp_seconds",
    "sentinel_wal_last_archived_timestamp_seconds",
    "sentinel_wal_last_failed_timestamp_seconds",
    "sentinel_wal_segments_waiting",
    "sentinel_replication_slot_retained_bytes",
    *("sentinel:last_decision:changes_1h", "sentinel:tenant_last_decision:changes_1h"),
}
"""Metrics that have no series as long as nothing goes wrong, those of what the tests' Postgres does
not do (archive and replicate), and those of whole minutes, which a short run may not have."""


def test_promtool_accepts_the_configuration() -> None:
    promtool("check", "config", "prometheus.yml")


def test_promtool_accepts_the_kubernetes_configuration_without_pod_discovery(
    tmp_path: Path,
) -> None:
    """Debian's Prometheus is built without the search for Kubernetes' pods."""
    settings = yaml.safe_load((DEPLOY / "prometheus" / "kubernetes.yml").read_text())
    (job,) = settings["scrape_configs"]
    (search,) = job.pop("kubernetes_sd_configs")
    assert search["role"] == "pod"
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(settings))
    for path in RULES:
        (tmp_path / path.name).write_text(path.read_text())
    promtool("check", "config", "prometheus.yml", folder=tmp_path)


@pytest.mark.parametrize("configuration", ["prometheus.yml", "kubernetes.yml"])
def test_the_job_has_the_name_that_rules_and_dashboards_ask_for(configuration: str) -> None:
    settings = yaml.safe_load((DEPLOY / "prometheus" / configuration).read_text())
    assert [job["job_name"] for job in settings["scrape_configs"]] == ["sentinel"]
    asked = [rule["expr"] for rule in rules()]
    asked += [
        target["expr"] for path in DASHBOARDS for p in panels(path) for target in p["targets"]
    ]
    for expression in asked:
        selectors = re.findall(r"\{([^}]*)\}", expression)
        assert all('job="sentinel"' in selector for selector in selectors), expression


def test_the_pods_that_are_searched_are_those_of_the_deployment() -> None:
    settings = yaml.safe_load((DEPLOY / "prometheus" / "kubernetes.yml").read_text())
    (search,) = settings["scrape_configs"][0]["kubernetes_sd_configs"]
    (selector,) = search["selectors"]
    wanted = dict(label.split("=") for label in selector["label"].split(","))
    pod = yaml.safe_load((DEPLOY / "kubernetes/base/deployment.yaml").read_text())
    assert wanted.items() <= pod["spec"]["template"]["metadata"]["labels"].items()
    (container,) = pod["spec"]["template"]["spec"]["containers"]
    assert "http" in {port["name"] for port in container["ports"]}


@pytest.mark.parametrize("configuration", ["prometheus.yml", "kubernetes.yml"])
def test_the_configuration_names_every_rule_file_and_the_address_of_the_runbooks(
    configuration: str,
) -> None:
    settings = yaml.safe_load((DEPLOY / "prometheus" / configuration).read_text())
    assert sorted(settings["rule_files"]) == [path.name for path in RULES]
    docs = urlsplit(settings["global"]["external_labels"][DOCS])
    assert docs.scheme == "https"
    assert docs.path.endswith("/docs")
    # Otherwise every alert has the label, and remote storage gets it with each series.
    (drop,) = settings["alerting"]["alert_relabel_configs"]
    assert drop == {"regex": DOCS, "action": "labeldrop"}


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_promtool_has_no_complaint_about_the_rules(path: Path) -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", path.name)


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_each_alert_fires_when_it_should_and_not_when_it_should_not(path: Path) -> None:
    cases = path.with_name(f"{path.stem}_test.yaml")
    promtool("test", "rules", cases.name)
    outcomes = defaultdict(set)
    for case in yaml.safe_load(cases.read_text())["tests"]:
        for check in case["alert_rule_test"]:
            outcomes[check["alertname"]].add(bool(check["exp_alerts"]))
            for expected in check["exp_alerts"]:
                url = urlsplit(expected["exp_annotations"]["runbook_url"])
                assert (url.scheme, url.fragment) == ("https", check["alertname"].lower())
    of_file = yaml.safe_load(path.read_text())["groups"]
    names = {rule["alert"] for group in of_file for rule in group["rules"] if "alert" in rule}
    assert dict(outcomes) == {name: {True} if name == WATCHDOG else {True, False} for name in names}


@pytest.mark.parametrize("rule", alerts().values(), ids=list(alerts()))
def test_an_alert_has_a_severity_a_summary_a_description_and_a_runbook(
    rule: dict[str, Any],
) -> None:
    allowed = {"none"} if rule["alert"] == WATCHDOG else {"critical", "warning"}
    assert rule["labels"]["severity"] in allowed
    annotation = rule["annotations"]
    assert annotation["summary"].endswith(".")
    assert annotation["description"].endswith(".")
    heading = f"/runbooks.md#{rule['alert'].lower()}"
    assert annotation["runbook_url"] == f"{{{{ $externalLabels.{DOCS} }}}}{heading}"


def test_each_alert_has_a_section_in_the_runbooks_and_each_section_an_alert() -> None:
    sections = re.findall(r"(?m)^## (Sentinel\w+)$", RUNBOOKS.read_text())
    assert sorted(sections) == sorted(alerts())
    for section in RUNBOOKS.read_text().split("\n## Sentinel")[1:]:
        assert re.findall(r"(?m)^\*\*(.+?)\*\*", section) == ["Means.", "Look first.", "Fix."]


def test_every_rule_names_metrics_that_the_service_has(watched: Watched) -> None:
    known = watched.prometheus.names() | NOT_IN_A_CALM_RUN
    for rule in rules():
        names = metric_names(rule["expr"])
        assert names or rule.get("alert") == WATCHDOG, rule["expr"]
        assert names <= known, names - known
        watched.prometheus.evaluate(rule["expr"])


def test_prometheus_evaluates_every_rule_without_errors(watched: Watched) -> None:
    groups = watched.prometheus.ask("rules")["groups"]
    evaluated = {rule["name"]: rule for group in groups for rule in group["rules"]}
    assert {rule.get("alert") or rule["record"] for rule in rules()} == evaluated.keys()
    assert {rule["health"] for rule in evaluated.values()} == {"ok"}


def test_a_healthy_service_fires_the_watchdog_and_the_alert_of_the_refused_model(
    watched: Watched,
) -> None:
    raised = watched.prometheus.ask("alerts")["alerts"]
    firing = {alert["labels"]["alertname"] for alert in raised if alert["state"] == "firing"}
    assert firing == {"SentinelModelRefused", WATCHDOG}
