"""The manifests render, are valid for Kubernetes, and agree with the code."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import click
import kubernetes_validate
import pytest

from api.dependencies import API_CONNECTIONS
from app.openapi import document as openapi
from app.startup import BACKGROUND_CONNECTIONS, JOURNAL_CONNECTIONS
from console.uploads.routes import UploadRoute
from persistence.engine import POOL_SIZE
from persistence.journal.files import QUARANTINE_BYTES
from scoring import __version__
from sentinel.cli.main import main
from sentinel.settings import Settings
from tests.support.deploy.kustomize import (
    EVERYTHING,
    KUBERNETES,
    OVERLAYS,
    name_of,
    of_kind,
    pods,
    render,
    the,
)

OLDEST = "1.30"
INSIDE = {"/livez", "/readyz", "/metrics"}
OF_LIBRARIES = {"PGSSLROOTCERT", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"}
"""Variables that libpq and the client of MLflow read."""


def test_there_are_overlays_for_development_and_production() -> None:
    assert {"dev", "production"} <= set(OVERLAYS)


@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
@pytest.mark.parametrize("folder", EVERYTHING)
def test_kubernetes_knows_every_field(folder: str, version: str) -> None:
    documents = render(folder)
    assert documents
    for document in documents:
        kubernetes_validate.validate(document, version, strict=True)


def test_the_check_of_fields_finds_one_that_kubernetes_does_not_know() -> None:
    deployment = the(render("overlays/production"), "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    container["readynessProbe"] = container.pop("readinessProbe")
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(deployment, OLDEST, strict=True)


def test_the_sleeping_prestop_hook_needs_kubernetes_1_30() -> None:
    deployment = the(render("overlays/production"), "Deployment")
    with pytest.raises(kubernetes_validate.ValidationError, match="sleep"):
        kubernetes_validate.validate(deployment, "1.28", strict=True)


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_has_everything_the_service_needs(name: str) -> None:
    kinds = {document["kind"] for document in render(f"overlays/{name}")}
    wanted = {"Namespace", "ServiceAccount", "ConfigMap", "Service", "Deployment", "Ingress"}
    assert wanted | {"CronJob", "NetworkPolicy"} <= kinds
    if name == "production":
        assert {"HorizontalPodAutoscaler", "PodDisruptionBudget"} <= kinds


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_volume_of_the_journal_holds_the_journal_and_its_quarantine(name: str) -> None:
    spec = the(render(f"overlays/{name}"), "Deployment")["spec"]["template"]["spec"]
    (size,) = (v["emptyDir"]["sizeLimit"] for v in spec["volumes"] if v["name"] == "journal")
    assert size.endswith("Mi")
    wanted = Settings.model_fields["journal_max_bytes"].default + QUARANTINE_BYTES
    assert int(size.removesuffix("Mi")) << 20 >= wanted


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlays_migration_has_its_release_namespace_and_image(name: str) -> None:
    overlay, (migration,) = render(f"overlays/{name}"), render(f"migration/{name}")
    assert migration["kind"] == "Job"
    assert migration["metadata"]["name"] == f"sentinel-migration-{__version__.replace('.', '-')}"
    assert migration["metadata"]["namespace"] == the(overlay, "Namespace")["metadata"]["name"]
    images = {c["image"] for pod in pods([*overlay, migration]) for c in pod.containers}
    (image,) = images
    assert image.rpartition("/")[2] == f"sentinel:{__version__}"


@pytest.mark.parametrize("folder", EVERYTHING)
def test_every_pod_is_labelled_with_its_release(folder: str) -> None:
    for pod in pods(render(folder)):
        assert pod.labels["app.kubernetes.io/version"] == __version__


@pytest.mark.parametrize("folder", EVERYTHING)
def test_everything_is_in_the_overlays_namespace(folder: str) -> None:
    documents = render(folder)
    namespaces = {d["metadata"].get("namespace") for d in documents if d["kind"] != "Namespace"}
    assert len(namespaces) == 1
    assert None not in namespaces


@pytest.mark.parametrize("folder", EVERYTHING)
def test_every_secret_is_documented_with_its_keys(folder: str) -> None:
    readme = (KUBERNETES / "README.md").read_text()
    for document in render(folder):
        for name, key in secret_references(document):
            assert re.search(
                rf"create secret generic {name} .*--from-(?:file|literal)={key}=", readme
            )
    for ingress in of_kind(render(folder), "Ingress"):
        for tls in ingress["spec"].get("tls", []):
            assert f"create secret tls {tls['secretName']} " in readme


def secret_references(value: Any) -> list[tuple[str, str]]:
    """Return name and key of the secrets without which a pod does not start."""
    if isinstance(value, dict):
        items = [secret_references(inner) for inner in value.values()]
        if not value.get("secretKeyRef", {"optional": True}).get("optional"):
            items.append([(value["secretKeyRef"]["name"], value["secretKeyRef"]["key"])])
        if "secret" in value:
            items.append([(value["secret"]["secretName"], "ca.crt")])
    elif isinstance(value, list):
        items = [secret_references(inner) for inner in value]
    else:
        return []
    return [pair for pairs in items for pair in pairs]


@pytest.mark.parametrize("folder", EVERYTHING)
def test_every_command_is_one_that_sentinel_has(folder: str) -> None:
    for pod in pods(render(folder)):
        for box in pod.containers:
            # The image's own entry point prepares the volume, and its own command serves.
            assert "command" not in box
            if "args" not in box:
                assert pod.kind == "Deployment"
                continue
            program, *words = box["args"]
            assert program == "sentinel"
            command: click.Command | None = main
            for word in words:
                if word.startswith("-"):
                    break
                assert isinstance(command, click.Group)
                command = command.get_command(click.Context(command), word)
            assert command is not None, f"{pod.owner}: {box['args']}"
            assert not isinstance(command, click.Group)


@pytest.mark.parametrize("folder", EVERYTHING)
def test_every_setting_is_one_that_sentinel_reads(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = render(folder)
    prefix = str(Settings.model_config["env_prefix"])
    known = {
        str(field.validation_alias or f"{prefix}{name}".upper())
        for name, field in Settings.model_fields.items()
    }
    given: dict[str, str] = {}
    for settings in of_kind(documents, "ConfigMap"):
        given |= settings["data"]
    for pod in pods(documents):
        for box in pod.containers:
            for variable in box.get("env", []):
                given[variable["name"]] = variable.get("value", "postgresql://secret")
    others = OF_LIBRARIES | {name for name in given if name.startswith("OTEL_")}
    assert set(given) <= known | others
    for name in [name for name in os.environ if name in known]:
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    written_to = Settings().home_path
    for pod in pods(documents):
        for box in pod.containers:
            assert str(written_to) in {mount["mountPath"] for mount in box["volumeMounts"]}


@pytest.mark.parametrize("name", OVERLAYS)
def test_callers_reach_every_documented_route_and_neither_health_nor_metrics(name: str) -> None:
    paths = [
        (path["path"], path["pathType"])
        for rule in the(render(f"overlays/{name}"), "Ingress")["spec"]["rules"]
        for path in rule["http"]["paths"]
    ]

    def reached(route: str) -> bool:
        return any(
            route == path or (kind == "Prefix" and route.startswith(f"{path}/"))
            for path, kind in paths
        )

    routes = set(json.loads(openapi())["paths"])
    assert {route for route in routes if not reached(route)} == INSIDE


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_ingress_lets_through_the_largest_body_that_a_route_takes(name: str) -> None:
    annotations = the(render(f"overlays/{name}"), "Ingress")["metadata"]["annotations"]
    size = annotations["nginx.ingress.kubernetes.io/proxy-body-size"]
    assert UploadRoute.max_bytes <= int(size.removesuffix("m")) << 20 < 2 * UploadRoute.max_bytes


def test_production_is_reached_by_tls_alone() -> None:
    spec = the(render("overlays/production"), "Ingress")["spec"]
    hosts = {rule["host"] for rule in spec["rules"]}
    assert hosts == {host for tls in spec["tls"] for host in tls["hosts"]}


def test_every_pod_in_production_checks_the_certificate_of_postgres() -> None:
    for pod in pods([*render("overlays/production"), *render("migration/production")]):
        (mounted,) = [volume for volume in pod.spec["volumes"] if "secret" in volume]
        for box in pod.containers:
            (mount,) = [m for m in box["volumeMounts"] if m["name"] == mounted["name"]]
            (path,) = [v["value"] for v in box["env"] if v["name"] == "PGSSLROOTCERT"]
            assert path == f"{mount['mountPath']}/ca.crt"


def test_what_reads_the_registry_in_production_logs_in_and_nothing_else_has_the_login() -> None:
    owners = {
        pod.owner
        for pod in pods([*render("overlays/production"), *render("migration/production")])
        if any(name == "sentinel-mlflow" for name, _ in secret_references(pod.spec))
    }
    assert owners == {"Deployment/sentinel", "CronJob/sentinel-monitor"}


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_autoscaler_is_annotated_with_the_connections_it_needs(name: str) -> None:
    documents = render(f"overlays/{name}")
    scalers = of_kind(documents, "HorizontalPodAutoscaler")
    assert scalers or name != "production"
    for scaler in scalers:
        a_pod = POOL_SIZE + BACKGROUND_CONNECTIONS + API_CONNECTIONS + JOURNAL_CONNECTIONS
        surge = the(documents, "Deployment")["spec"]["strategy"]["rollingUpdate"]["maxSurge"]
        ending = 2
        jobs = len(of_kind(documents, "CronJob")) + 1
        needed = (scaler["spec"]["maxReplicas"] + surge + ending) * a_pod + jobs
        annotation = scaler["metadata"]["annotations"]["sentinel/database-connections"]
        assert int(annotation) == needed


@pytest.mark.parametrize("name", OVERLAYS)
def test_pods_are_annotated_for_prometheus(name: str) -> None:
    template = the(render(f"overlays/{name}"), "Deployment")["spec"]["template"]
    annotation = template["metadata"]["annotations"]
    (port,) = template["spec"]["containers"][0]["ports"]
    assert annotation["prometheus.io/scrape"] == "true"
    assert annotation["prometheus.io/port"] == str(port["containerPort"])
    assert annotation["prometheus.io/path"] in INSIDE


def test_every_document_has_a_unique_name() -> None:
    for folder in EVERYTHING:
        names = [name_of(document) for document in render(folder)]
        assert len(names) == len(set(names))
