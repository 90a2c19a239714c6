"""Policies for every manifest: each returns its violations as sentences."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from service import Sentinel
from serving.shadow import DRAIN_S
from tests.support.deploy.kustomize import SERVING, Document, name_of, of_kind, pods, strings

Policy = Callable[[list[Document]], list[str]]

REQUEST_S: float = Sentinel.config["traffic"]["timeout"]
MARGIN_S = 5.0

POLICIES: list[Policy] = []


def policy(check: Policy) -> Policy:
    """Register a policy for every kustomization."""
    POLICIES.append(check)
    return check


def _containers(documents: list[Document]) -> list[tuple[str, Document]]:
    return [
        (f"{pod.owner}, {container['name']}", container)
        for pod in pods(documents)
        for container in pod.containers
    ]


@policy
def images_are_pinned(documents: list[Document]) -> list[str]:
    """A tag that is not `latest`, or a digest."""
    return [
        f"{where}: the image {container['image']} is not pinned"
        for where, container in _containers(documents)
        if not re.search(r":(?!latest$)[\w.-]+$|@sha256:[0-9a-f]{64}$", container["image"])
    ]


@policy
def resources_are_bounded(documents: list[Document]) -> list[str]:
    """Every container has requests and limits of CPU and memory."""
    return [
        f"{where}: no {kind} for {resource}"
        for where, container in _containers(documents)
        for kind in ("requests", "limits")
        for resource in ("cpu", "memory")
        if resource not in container.get("resources", {}).get(kind, {})
    ]


@policy
def nobody_is_root(documents: list[Document]) -> list[str]:
    """Pod Security's `restricted`, and a root file system that cannot be written."""
    violations = []
    for pod in pods(documents):
        of_pod = pod.spec.get("securityContext", {})
        wanted: dict[str, Any] = {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        for container in pod.containers:
            context = of_pod | container.get("securityContext", {})
            where = f"{pod.owner}, {container['name']}"
            violations += [
                f"{where}: {key}" for key, value in wanted.items() if context.get(key) != value
            ]
            if not context.get("runAsUser"):
                violations.append(f"{where}: runs as root, or as whoever the image says")
            if context.get("privileged"):
                violations.append(f"{where}: is privileged")
        shared = ("hostNetwork", "hostPID", "hostIPC")
        violations += [f"{pod.owner}: {key}" for key in shared if pod.spec.get(key)]
    return violations


@policy
def only_bounded_scratch_is_written(documents: list[Document]) -> list[str]:
    """What a pod can write to is its own, goes with it, and has an end; a Secret is read only."""
    violations = []
    for pod in pods(documents):
        written = {
            mount["name"]
            for container in pod.containers
            for mount in container.get("volumeMounts", [])
            if not mount.get("readOnly")
        }
        violations += [
            f"{pod.owner}: the volume {volume['name']} is no emptyDir with a sizeLimit"
            for volume in pod.spec.get("volumes", [])
            if not volume.get("emptyDir", {}).get("sizeLimit")
            and not ("secret" in volume and volume["name"] not in written)
        ]
    return violations


@policy
def probes_are_present(documents: list[Document]) -> list[str]:
    """What serves is probed; being ready depends on other parts, being alive does not."""
    violations = []
    for pod in pods(documents):
        if pod.kind not in SERVING:
            continue
        for container in pod.spec["containers"]:
            where = f"{pod.owner}, {container['name']}"
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                wanted = "/readyz" if probe == "readinessProbe" else "/livez"
                path = container.get(probe, {}).get("httpGet", {}).get("path")
                if path != wanted:
                    violations.append(f"{where}: {probe} asks {path or 'nothing'}, not {wanted}")
    return violations


@policy
def shutdown_is_long_enough(documents: list[Document]) -> list[str]:
    """The grace period covers the pause, what is being answered and the shadow scores."""
    violations = []
    for pod in pods(documents):
        if pod.kind not in SERVING:
            continue
        grace = pod.spec.get("terminationGracePeriodSeconds", 30)
        for container in pod.spec["containers"]:
            pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {})
            if not pause.get("seconds"):
                violations.append(f"{pod.owner}: stops before the proxies know")
            elif grace < (needed := pause["seconds"] + REQUEST_S + DRAIN_S + MARGIN_S):
                violations.append(f"{pod.owner}: has {grace} s to end and may need {needed:.0f}")
    return violations


@policy
def updates_keep_every_pod(documents: list[Document]) -> list[str]:
    """An update adds before it takes away."""
    return [
        f"{name_of(document)}: an update may take pods away before others are ready"
        for document in of_kind(documents, "Deployment")
        if document["spec"].get("strategy", {}).get("rollingUpdate", {}).get("maxUnavailable") != 0
    ]


_SECRET_NAME = re.compile(r"(?i)secret|password|token|credential|private|DATABASE_URL")
_PASSWORD_IN_URL = re.compile(r"\w+://[^/\s:@]*:[^/\s@]+@")


@policy
def secrets_are_referred_to(documents: list[Document]) -> list[str]:
    """No Secret is here, no value that looks like one, and no URL with a password."""
    violations = [
        f"{name_of(document)} is written down" for document in of_kind(documents, "Secret")
    ]
    for where, container in _containers(documents):
        violations += [
            f"{where}: {variable['name']} is written down"
            for variable in container.get("env", [])
            if "value" in variable and _SECRET_NAME.search(variable["name"])
        ]
    for document in documents:
        violations += [
            f"{name_of(document)}: {key} is written down"
            for key in document.get("data", {})
            if _SECRET_NAME.search(key)
        ]
        if any(_PASSWORD_IN_URL.search(text) for text in strings(document)):
            violations.append(f"{name_of(document)}: a URL with a password")
    return violations


@policy
def serving_never_migrates(documents: list[Document]) -> list[str]:
    """Two pods that start would migrate at once, and one that fails would not serve."""
    return [
        f"{pod.owner}, {container['name']}: migrates the database"
        for pod in pods(documents)
        if pod.kind != "Job"
        for container in pod.containers
        if re.search(r"\bupgrade\b|alembic", " ".join(strings(container)))
    ]


@policy
def owners_password_stays_with_jobs(documents: list[Document]) -> list[str]:
    """What serves cannot become the database's owner; docs/decisions/0002."""
    return [
        f"{pod.owner}: knows the owner's password"
        for pod in pods(documents)
        if pod.kind in SERVING and "sentinel-owner" in strings(pod.spec)
    ]


@policy
def nobody_talks_to_kubernetes(documents: list[Document]) -> list[str]:
    """No token of Kubernetes is mounted, and its Services do not pose as our settings."""
    accounts = of_kind(documents, "ServiceAccount")
    violations = [
        f"{name_of(account)}: mounts its token"
        for account in accounts
        if account.get("automountServiceAccountToken") is not False
    ]
    for pod in pods(documents):
        if pod.spec.get("automountServiceAccountToken") is not False:
            violations.append(f"{pod.owner}: mounts a token")
        if pod.spec.get("enableServiceLinks") is not False:
            violations.append(f"{pod.owner}: takes Services for settings")
    return violations


@policy
def jobs_end(documents: list[Document]) -> list[str]:
    """A job has a deadline and few tries, and a scheduled one never runs beside itself."""
    violations = []
    for document in of_kind(documents, "Job", "CronJob"):
        spec = document["spec"]
        if document["kind"] == "CronJob":
            if spec.get("concurrencyPolicy") != "Forbid":
                violations.append(f"{name_of(document)}: may run beside itself")
            if not spec.get("timeZone"):
                violations.append(f"{name_of(document)}: runs at an hour that nobody named")
            spec = spec["jobTemplate"]["spec"]
        if not spec.get("activeDeadlineSeconds"):
            violations.append(f"{name_of(document)}: has no deadline")
        if spec.get("backoffLimit", 6) > 3:
            violations.append(f"{name_of(document)}: tries for ever")
    return violations
