"""Every kustomization keeps every policy, and a manifest that breaks one is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.deploy import manifest_policies as policies
from tests.support.deploy import overlay_policies as whole
from tests.support.deploy.kustomize import (
    EVERYTHING,
    OVERLAYS,
    Document,
    changed,
    of_kind,
    render,
    the,
)
from tests.support.deploy.manifest_policies import POLICIES, Policy
from tests.support.deploy.overlay_policies import OF_THE_WHOLE, OVERLAY_POLICIES


@pytest.mark.parametrize("folder", EVERYTHING)
@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.__name__)
def test_every_kustomization_keeps_every_policy(policy: Policy, folder: str) -> None:
    assert policy(render(folder)) == []


@pytest.mark.parametrize("name", OVERLAYS)
@pytest.mark.parametrize(
    "policy",
    OF_THE_WHOLE,
    ids=lambda policy: policy.__name__,
)
def test_every_overlay_keeps_the_policies_about_the_whole(policy: Policy, name: str) -> None:
    assert policy(render(f"overlays/{name}")) == []


def serving(documents: list[Document]) -> Document:
    """The pod of the Deployment."""
    spec: Document = the(documents, "Deployment")["spec"]["template"]["spec"]
    return spec


def container(documents: list[Document]) -> Document:
    (containers,) = serving(documents)["containers"]
    result: Document = containers
    return result


def job(documents: list[Document], name: str = "sentinel-maintenance") -> Document:
    (jobs,) = [d for d in of_kind(documents, "CronJob") if d["metadata"]["name"] == name]
    spec: Document = jobs["spec"]
    return spec


def job_pod(documents: list[Document]) -> Document:
    template: Document = job(documents)["jobTemplate"]["spec"]["template"]
    return template


def set_in(value: Any, *path: str | int, to: Any) -> None:
    for step in path[:-1]:
        value = value[step]
    value[path[-1]] = to


SETTINGS = {"kind": "ConfigMap", "metadata": {"name": "more"}}
MIGRATE = {"name": "migrate", "image": "sentinel:0.1.0", "command": ["sentinel", "db", "upgrade"]}

# What breaks each policy, one line each.
BROKEN: list[tuple[Policy, str, Callable[[list[Document]], object]]] = [
    (policies.images_are_pinned, "latest", lambda d: container(d).update(image="a/b:latest")),
    (policies.images_are_pinned, "untagged", lambda d: container(d).update(image="host:5000/b")),
    (
        policies.resources_are_bounded,
        "no limit",
        lambda d: container(d)["resources"]["limits"].pop("memory"),
    ),
    (policies.resources_are_bounded, "none at all", lambda d: container(d).pop("resources")),
    (
        policies.nobody_is_root,
        "root by number",
        lambda d: serving(d)["securityContext"].update(runAsUser=0),
    ),
    (
        policies.nobody_is_root,
        "root in the container",
        lambda d: container(d)["securityContext"].update(runAsNonRoot=False),
    ),
    (
        policies.nobody_is_root,
        "a job's root",
        lambda d: job_pod(d)["spec"].pop("securityContext"),
    ),
    (
        policies.nobody_is_root,
        "a root file system to write",
        lambda d: container(d)["securityContext"].pop("readOnlyRootFilesystem"),
    ),
    (
        policies.nobody_is_root,
        "capabilities",
        lambda d: container(d)["securityContext"]["capabilities"].update(add=["NET_ADMIN"]),
    ),
    (policies.nobody_is_root, "the node's network", lambda d: serving(d).update(hostNetwork=True)),
    (
        policies.only_bounded_scratch_is_written,
        "the node's disk",
        lambda d: serving(d)["volumes"].append({"name": "n", "hostPath": {"path": "/"}}),
    ),
    (
        policies.only_bounded_scratch_is_written,
        "no end",
        lambda d: set_in(serving(d), "volumes", 0, "emptyDir", to={}),
    ),
    (
        policies.only_bounded_scratch_is_written,
        "a Secret to write",
        lambda d: container(d)["volumeMounts"][-1].pop("readOnly"),
    ),
    (policies.probes_are_present, "not ready", lambda d: container(d).pop("readinessProbe")),
    (policies.probes_are_present, "not starting", lambda d: container(d).pop("startupProbe")),
    (
        policies.probes_are_present,
        "killed with Postgres",
        lambda d: set_in(container(d), "livenessProbe", "httpGet", "path", to="/readyz"),
    ),
    (policies.shutdown_is_long_enough, "no pause", lambda d: container(d).pop("lifecycle")),
    (
        policies.shutdown_is_long_enough,
        "too short",
        lambda d: serving(d).update(terminationGracePeriodSeconds=20),
    ),
    (
        policies.updates_keep_every_pod,
        "a pod less",
        lambda d: the(d, "Deployment")["spec"].pop("strategy"),
    ),
    (
        policies.secrets_are_referred_to,
        "a Secret",
        lambda d: d.append({"kind": "Secret", "metadata": {"name": "s"}, "data": {}}),
    ),
    (
        policies.secrets_are_referred_to,
        "a variable",
        lambda d: container(d)["env"].append({"name": "SENTINEL_KEY_SECRET", "value": "x"}),
    ),
    (
        policies.secrets_are_referred_to,
        "a setting",
        lambda d: d.append(SETTINGS | {"data": {"SENTINEL_KEY_SECRET": "x"}}),
    ),
    (
        policies.secrets_are_referred_to,
        "a password in a URL",
        lambda d: d.append(SETTINGS | {"data": {"MLFLOW_TRACKING_URI": "https://a:b@mlflow"}}),
    ),
    (
        policies.serving_never_migrates,
        "at the start",
        lambda d: serving(d).update(initContainers=[MIGRATE]),
    ),
    (
        policies.serving_never_migrates,
        "by the way",
        lambda d: container(d).update(args=["sh", "-c", "alembic upgrade head && serve"]),
    ),
    (
        policies.owners_password_stays_with_jobs,
        "the owner's URL",
        lambda d: set_in(
            container(d), "env", 0, "valueFrom", "secretKeyRef", "name", to="sentinel-owner"
        ),
    ),
    (
        policies.nobody_talks_to_kubernetes,
        "a token",
        lambda d: serving(d).pop("automountServiceAccountToken"),
    ),
    (
        policies.nobody_talks_to_kubernetes,
        "SENTINEL_PORT",
        lambda d: serving(d).pop("enableServiceLinks"),
    ),
    (policies.jobs_end, "two at once", lambda d: job(d).update(concurrencyPolicy="Allow")),
    (
        policies.jobs_end,
        "no deadline",
        lambda d: job(d)["jobTemplate"]["spec"].pop("activeDeadlineSeconds"),
    ),
    (
        whole.network_is_closed,
        "no policy for a job",
        lambda d: job_pod(d)["metadata"].update(labels={"job": "free"}),
    ),
    (
        whole.network_is_closed,
        "from everywhere",
        lambda d: [
            rule.pop("from")
            for item in of_kind(d, "NetworkPolicy")
            for rule in item["spec"].get("ingress", [])
        ],
    ),
    (
        whole.what_serves_is_selected_and_nothing_else,
        "the Service finds a job",
        lambda d: set_in(
            the(d, "Service"), "spec", "selector", to={"app.kubernetes.io/name": "sentinel"}
        ),
    ),
    (
        whole.autoscalers_are_obeyed,
        "replicas beside an autoscaler",
        lambda d: the(d, "Deployment")["spec"].update(replicas=2),
    ),
    (
        whole.what_is_referred_to_is_here,
        "settings that are not here",
        lambda d: d.remove(the(d, "ConfigMap")),
    ),
    (
        whole.what_is_referred_to_is_here,
        "a port that nobody has",
        lambda d: set_in(the(d, "Service"), "spec", "ports", 0, "targetPort", to="https"),
    ),
]


@pytest.mark.parametrize(
    ("policy", "change"),
    [pytest.param(p, change, id=f"{p.__name__}: {what}") for p, what, change in BROKEN],
)
def test_a_manifest_that_breaks_a_policy_is_named(
    policy: Policy, change: Callable[[list[Document]], object]
) -> None:
    good = render("overlays/production")
    bad = changed(good, change)
    assert bad != good
    assert policy(bad) != []


def test_every_policy_has_a_manifest_that_breaks_it() -> None:
    assert {policy for policy, _, _ in BROKEN} == set(OVERLAY_POLICIES)
