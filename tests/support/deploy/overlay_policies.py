"""Policies about how the documents of an overlay refer to each other."""

from __future__ import annotations

from tests.support.deploy.kustomize import SERVING, Document, Pod, name_of, of_kind, pods
from tests.support.deploy.manifest_policies import POLICIES, Policy

OF_THE_WHOLE: list[Policy] = []


def policy(check: Policy) -> Policy:
    """Register a policy for every overlay; the migration is applied apart from it."""
    OF_THE_WHOLE.append(check)
    return check


def _serving(documents: list[Document]) -> list[Pod]:
    return [pod for pod in pods(documents) if pod.kind in SERVING]


@policy
def network_is_closed(documents: list[Document]) -> list[str]:
    """Every pod has a network policy for both directions, and no rule allows every peer or port."""
    items = of_kind(documents, "NetworkPolicy")
    violations = [
        f"{pod.owner}: {direction} is open"
        for pod in pods(documents)
        for direction in ("Ingress", "Egress")
        if not any(
            direction in item["spec"]["policyTypes"]
            and pod.selected_by(item["spec"]["podSelector"])
            for item in items
        )
    ]
    return violations + [
        f"{name_of(item)}: a rule for everyone, or for every port"
        for item in items
        for rules, peers in (("ingress", "from"), ("egress", "to"))
        for rule in item["spec"].get(rules, [])
        if not rule.get(peers) or not rule.get("ports")
    ]


@policy
def what_serves_is_selected_and_nothing_else(documents: list[Document]) -> list[str]:
    """A Service that finds a job's pod sends payments to it."""
    violations = []
    for document in of_kind(documents, "Service", "Deployment", "PodDisruptionBudget"):
        selector = document["spec"]["selector"]
        if document["kind"] == "Service":
            selector = {"matchLabels": selector}
        violations += [
            f"{name_of(document)}: {'does not select' if pod.kind in SERVING else 'selects'}"
            f" the pods of {pod.owner}"
            for pod in pods(documents)
            if pod.selected_by(selector) != (pod.kind in SERVING)
        ]
    return violations


@policy
def autoscalers_are_obeyed(documents: list[Document]) -> list[str]:
    """What they scale is here, and no apply sets its replicas back."""
    violations = []
    owners = {name_of(document): document for document in documents}
    for scaler in of_kind(documents, "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        name = f"{target['kind']}/{target['name']}"
        if name not in owners:
            violations.append(f"{name_of(scaler)}: {name} is not here")
        elif "replicas" in owners[name]["spec"]:
            violations.append(
                f"{name}: says how many replicas it has, and so does {name_of(scaler)}"
            )
    return violations


@policy
def what_is_referred_to_is_here(documents: list[Document]) -> list[str]:
    """The settings, the account, the Service of each path and its port."""
    wanted: list[tuple[str, str]] = []
    for pod in pods(documents):
        wanted.append((pod.owner, f"ServiceAccount/{pod.spec.get('serviceAccountName')}"))
        wanted += [
            (pod.owner, f"ConfigMap/{source['configMapRef']['name']}")
            for container in pod.containers
            for source in container.get("envFrom", [])
        ]
    wanted += [
        (name_of(ingress), f"Service/{path['backend']['service']['name']}")
        for ingress in of_kind(documents, "Ingress")
        for rule in ingress["spec"]["rules"]
        for path in rule["http"]["paths"]
    ]
    names = {name_of(document) for document in documents}
    violations = [f"{owner}: {name} is not here" for owner, name in wanted if name not in names]
    ports = {
        port["name"]
        for pod in _serving(documents)
        for container in pod.containers
        for port in container.get("ports", [])
    }
    return violations + [
        f"{name_of(service)}: no pod has the port {port['targetPort']}"
        for service in of_kind(documents, "Service")
        for port in service["spec"]["ports"]
        if port["targetPort"] not in ports
    ]


OVERLAY_POLICIES = [*POLICIES, *OF_THE_WHOLE]
