"""Every panel of the dashboards has samples in a Prometheus that scrapes a service under load."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from observability.metrics import SHADOW_DROPPED
from tests.support.observability.observed_service import Watched
from tests.support.observability.prometheus import DASHBOARDS, DEPLOY, metric_names, panels, query
from tests.support.paths import PROJECT

NOT_IN_A_CALM_RUN = {
    # The shadow's queue holds 20,000 decisions.
    "Left out of the shadow": {f"{SHADOW_DROPPED._name}_total"},
    # No key of the watched tenant expires, and its Postgres neither archives nor replicates.
    "Time until a key in use ends": {"sentinel_tenant_key_expiry_timestamp_seconds"},
    "Log that is not archived": {"sentinel_wal_segments_waiting"},
    "Log kept for replication slots": {"sentinel_replication_slot_retained_bytes"},
}
"""Panels that stay empty as long as nothing goes wrong, and the metrics that they wait for."""

ALL = [(path.stem, panel) for path in DASHBOARDS for panel in panels(path)]


def named(case: Any) -> str:
    return case if isinstance(case, str) else case["title"]


@pytest.mark.parametrize(("_dashboard", "panel"), ALL, ids=named)
def test_a_panel_has_samples(watched: Watched, _dashboard: str, panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        expression = query(target)
        samples = watched.prometheus.evaluate(expression)
        if rare := NOT_IN_A_CALM_RUN.get(panel["title"]):
            assert metric_names(expression) == rare
        else:
            assert metric_names(expression) <= watched.prometheus.names()
            assert samples, expression
            assert any(sample["value"][1] != "NaN" for sample in samples), expression


@pytest.mark.parametrize(("_dashboard", "panel"), ALL, ids=named)
def test_a_legend_names_labels_that_the_answer_has(
    watched: Watched, _dashboard: str, panel: dict[str, Any]
) -> None:
    for target in panel["targets"]:
        for sample in watched.prometheus.evaluate(query(target)):
            for part in target["legendFormat"].split("{{")[1:]:
                assert part.split("}}")[0] in sample["metric"], target["legendFormat"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboards_variables_have_values(watched: Watched, path: Path) -> None:
    for variable in json.loads(path.read_text())["templating"]["list"]:
        if variable["type"] == "query":
            asked = variable["query"]["query"]
            series, label = asked.removeprefix("label_values(").removesuffix(")").split(", ")
            values = {x["metric"].get(label) for x in watched.prometheus.evaluate(series)}
            assert values - {None}, asked


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_names_no_instance_of_grafana(path: Path) -> None:
    dashboard = json.loads(path.read_text())
    assert dashboard["uid"] == f"sentinel-{path.stem}"
    assert "id" not in dashboard
    source, *_ = dashboard["templating"]["list"]
    assert (source["name"], source["type"]) == ("datasource", "datasource")
    for panel in panels(path):
        uses = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert all(use == {"type": "prometheus", "uid": "${datasource}"} for use in uses)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_no_two_panels_overlap_or_share_an_id(path: Path) -> None:
    everything = json.loads(path.read_text())["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    places = [(panel["title"], panel["gridPos"]) for panel in everything]
    assert all(place["x"] + place["w"] <= 24 for _, place in places)
    for (one, a), (other, b) in combinations(places, 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        below = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert beside or below, f"{one} lies on {other}"


def test_grafana_is_provisioned_with_prometheus_and_the_dashboards() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yaml").read_text())[
        "datasources"
    ]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    (provider,) = yaml.safe_load((provisioning / "dashboards/sentinel.yaml").read_text())[
        "providers"
    ]
    assert provider["type"] == "file"


def test_compose_mounts_the_dashboards_at_the_provisioned_path() -> None:
    services = yaml.safe_load((PROJECT / "compose.yaml").read_text())["services"]
    provisioning = DEPLOY / "grafana/provisioning/dashboards/sentinel.yaml"
    (provider,) = yaml.safe_load(provisioning.read_text())["providers"]
    mounted = {
        volume.split(":")[0]: volume.split(":")[1] for volume in services["grafana"]["volumes"]
    }
    assert mounted["./deploy/grafana/dashboards"] == provider["options"]["path"]
    assert mounted["./deploy/grafana/provisioning"] == "/etc/grafana/provisioning"
    (job,) = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    (discovery,) = job["dns_sd_configs"]
    (name,) = discovery["names"]
    assert services[name]["ports"][0].endswith(f":{discovery['port']}")
