"""The documents that `kubectl kustomize` renders from deploy/kubernetes."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.paths import PROJECT

Document = dict[str, Any]

SERVING = ("Deployment", "StatefulSet", "DaemonSet", "Pod")
"""Kinds whose pods run until they are replaced."""
KUBERNETES = PROJECT / "deploy/kubernetes"
# Locked with its hash (pyproject.toml), so every machine renders the same.
KUBECTL = Path(sys.executable).parent / "kubectl"


def folders(under: str) -> list[str]:
    """The kustomizations of a folder that are for a cluster, by name."""
    files = (KUBERNETES / under).glob("*/kustomization.yaml")
    return sorted(path.parent.name for path in files if path.parent.name != "base")


OVERLAYS = folders("overlays")
EVERYTHING = [f"{under}/{name}" for under in ("migration", "overlays") for name in folders(under)]


@cache
def _documents(folder: str) -> list[Document]:
    done = subprocess.run(
        [KUBECTL, "kustomize", KUBERNETES / folder],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    # A deprecated field is a warning, with status 0.
    assert (done.returncode, done.stderr) == (0, "")
    return list(yaml.safe_load_all(done.stdout))


def render(folder: str) -> list[Document]:
    """Render a kustomization of deploy/kubernetes; the documents are the caller's own."""
    return copy.deepcopy(_documents(folder))


def name_of(document: Document) -> str:
    """Kind and name as kubectl prints them: `Deployment/sentinel`."""
    return f"{document['kind']}/{document['metadata']['name']}"


def of_kind(documents: list[Document], *kinds: str) -> list[Document]:
    """The documents of some kinds."""
    return [document for document in documents if document["kind"] in kinds]


def the(documents: list[Document], kind: str) -> Document:
    """The only document of a kind."""
    (document,) = of_kind(documents, kind)
    return document


@dataclass(frozen=True)
class Pod:
    """A pod that a document makes.

    Attributes:
        owner: document that makes it, by `name_of`.
        kind: kind of that document.
        labels: labels of the pod.
        spec: the pod's spec.
    """

    owner: str
    kind: str
    labels: dict[str, str]
    spec: Document

    @property
    def containers(self) -> list[Document]:
        """Containers and init containers."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    def selected_by(self, selector: Document) -> bool:
        """Whether a label selector fits; In is the only expression we use."""
        for expression in selector.get("matchExpressions", []):
            assert expression["operator"] == "In"
            if self.labels.get(expression["key"]) not in expression["values"]:
                return False
        wanted: dict[str, str] = selector.get("matchLabels", {})
        return wanted.items() <= self.labels.items()


def pods(documents: list[Document]) -> Iterator[Pod]:
    """Every pod that some documents make."""
    for document in documents:
        spec = document.get("spec", {})
        template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
        if document["kind"] == "Pod":
            template = document
        if template is not None:
            labels = template["metadata"].get("labels", {})
            yield Pod(name_of(document), document["kind"], labels, template["spec"])


def strings(value: Any) -> Iterator[str]:
    """Every string in a document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def changed(
    documents: list[Document], change: Callable[[list[Document]], object]
) -> list[Document]:
    """A copy of the documents after a change."""
    copied = copy.deepcopy(documents)
    change(copied)
    return copied
