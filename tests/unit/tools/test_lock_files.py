"""The lock files agree with pyproject.toml and with each other; no network is used."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.paths import PROJECT

METADATA = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
SERVING = METADATA["dependencies"]
EVERYTHING = SERVING + [
    item for extra in METADATA["optional-dependencies"].values() for item in extra
]
LOCKS = {"serving": SERVING, "dev": EVERYTHING}


@dataclass(frozen=True)
class Pin:
    requirement: Requirement
    hashes: int
    declared: bool

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str:
        (specifier,) = self.requirement.specifier
        assert specifier.operator == "=="
        return specifier.version


def pins(lock: str) -> list[Pin]:
    text = (PROJECT / "requirements" / f"{lock}.lock").read_text()
    return [
        Pin(
            Requirement(block.split("\\", 1)[0]),
            hashes=block.count("--hash=sha256:"),
            declared="sentinel (pyproject.toml)" in block,
        )
        for block in re.split(r"(?m)^(?=[A-Za-z0-9])", text)[1:]
    ]


def declared(requirements: list[str]) -> dict[str, Requirement]:
    parsed = [Requirement(item) for item in requirements]
    return {canonicalize_name(requirement.name): requirement for requirement in parsed}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_exactly_what_the_project_declares(lock: str) -> None:
    names = {pin.name for pin in pins(lock) if pin.declared}
    assert names == set(declared(LOCKS[lock])), "run `make lock` and commit what it writes"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pinned_version_is_one_that_the_project_allows(lock: str) -> None:
    requirements = declared(LOCKS[lock])
    for pin in pins(lock):
        if requirement := requirements.get(pin.name):
            assert requirement.specifier.contains(pin.version), f"{pin.requirement}: `make lock`"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_is_hashed_and_no_address_is_written_down(lock: str) -> None:
    assert all(pin.hashes for pin in pins(lock))
    assert "://" not in (PROJECT / "requirements" / f"{lock}.lock").read_text()


def test_the_serving_lock_is_a_subset_of_the_dev_lock() -> None:
    tested = {(pin.name, pin.version) for pin in pins("dev")}
    served = {(pin.name, pin.version) for pin in pins("serving")}
    assert served <= tested


@pytest.mark.parametrize("name", ["mlflow", "pandas", "scikit-learn", "shap", "pytest"])
def test_the_bento_carries_nothing_for_training_or_development(name: str) -> None:
    assert name not in {pin.name for pin in pins("serving")}
