"""`sentinel seal`, `verify` and `prove` against a real database, and the check of a proof."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from persistence.decisions.writer import DecisionLog
from sentinel.cli.main import main
from tests.support.factories import a_decision
from tests.support.fixture_types import MakeTenant
from tests.support.paths import PROJECT

CHECK = PROJECT / "docs" / "check_proof.py"


@pytest.fixture
def run(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("SENTINEL_SEAL_KEY", str(tmp_path / "seal.key"))
    monkeypatch.setenv("SENTINEL_SEAL_HEADS", str(tmp_path / "heads"))
    return lambda *arguments: CliRunner().invoke(main, arguments)


@pytest.fixture
def public_key(run: Callable[..., Result]) -> str:
    return run("seal", "init", "--name", "bank.example/sentinel").stdout.strip()


def check(proof: Path, public_key: str) -> subprocess.CompletedProcess[str]:
    """Run the check as somebody outside does: without any package."""
    command = [sys.executable, "-I", "-S", str(CHECK), str(proof), public_key]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_key_is_made_once_and_only_its_owner_may_read_it(
    run: Callable[..., Result], public_key: str, tmp_path: Path
) -> None:
    assert (tmp_path / "seal.key").stat().st_mode & 0o777 == 0o600
    assert run("seal", "key").output.strip() == public_key
    again = run("seal", "init", "--name", "bank.example/sentinel")
    assert again.exit_code == 1
    assert "has a key already" in again.output
    assert run("seal", "key").output.strip() == public_key


def test_a_name_with_a_space_makes_no_key(run: Callable[..., Result], tmp_path: Path) -> None:
    refused = run("seal", "init", "--name", "our bank")
    assert refused.exit_code == 1
    assert "no spaces" in refused.output
    assert not (tmp_path / "seal.key").exists()


def test_a_log_is_verified_from_the_database_and_a_copy_of_the_heads(
    run: Callable[..., Result],
    public_key: str,
    engine: Engine,
    make_tenant: MakeTenant,
    tmp_path: Path,
    database: str,
) -> None:
    assert run("verify").exit_code == 1  # nothing is sealed, so nothing is proved
    tenant = make_tenant()
    decided = a_decision(tenant.id)
    DecisionLog(engine).write([decided])
    assert run("seal", "run", "--once").output.startswith("Sealed ")
    copy = tmp_path / "copy"
    (tmp_path / "heads").rename(copy)
    (tmp_path / "seal.key").unlink()
    given = ("--heads", str(copy), "--public-key", public_key)
    whole = run("verify", *given)
    assert whole.exit_code == 0, whole.output
    assert "demo: whole. " in whole.output
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE predictions SET score = 0.5")
    changed = run("verify", "--tenant", "demo", *given)
    assert changed.exit_code == 1
    assert f"decision {decided.prediction_id} is not as it was sealed" in changed.output
    (document,) = json.loads(run("verify", "--json", *given).stdout)
    assert document["faults"] == 1
    assert run("verify", "--tenant", "nobody", *given).exit_code == 1


def test_a_proof_is_checked_with_python_alone_and_every_change_of_it_fails(
    run: Callable[..., Result],
    public_key: str,
    engine: Engine,
    make_tenant: MakeTenant,
    tmp_path: Path,
) -> None:
    tenant = make_tenant()
    decisions = [a_decision(tenant.id, external_id=f"order-{i}") for i in range(300)]
    DecisionLog(engine).write(decisions)
    proof = tmp_path / "proof.json"
    early = run("prove", str(decisions[7].prediction_id))
    assert "was not sealed yet" in early.output
    run("seal", "run", "--once")
    for decided in (decisions[0], decisions[7], decisions[-1]):
        assert run("prove", str(decided.prediction_id), "--out", str(proof)).exit_code == 0
        checked = check(proof, public_key)
        assert checked.returncode == 0, checked.stderr
        assert checked.stdout.startswith(f"OK: decision {decided.prediction_id} is leaf ")
        assert f'external_id: "{decided.transaction.external_id}"' in checked.stdout

    document = json.loads(proof.read_text())
    name = "transaction.name_orig"
    salt, value = document["fields"][name]["salt"], document["fields"][name]["value"]

    def changed(**changes: object) -> str:
        proof.write_text(json.dumps(document | changes))
        return check(proof, public_key).stderr

    fields = document["fields"]
    assert "the fields were changed" in changed(
        fields=fields | {name: {"salt": salt, "value": '"C9"'}}
    )
    without = {key: shown for key, shown in fields.items() if key != name}
    assert "the fields were changed" in changed(fields=without)
    assert "not in the tree" in changed(position=document["position"] - 1)
    assert "not in the tree" in changed(path=document["path"][::-1])
    assert "too long" in changed(path=document["path"] * 2)
    other = document["leaf"].replace("decision", "feedback")
    assert "not in the tree" in changed(leaf=other)
    assert "did not sign" in changed(head=document["head"].replace("\n3", "\n4", 1))

    # A field can be left out: its commitment stands for it.
    import hashlib

    commitment = hashlib.sha256(bytes.fromhex(salt) + f"{name}\0{value}".encode()).hexdigest()
    proof.write_text(json.dumps(document | {"fields": fields | {name: {"commitment": commitment}}}))
    left_out = check(proof, public_key)
    assert left_out.returncode == 0
    assert f"{name}: (left out)" in left_out.stdout
    assert value not in left_out.stdout


def test_another_key_did_not_sign_the_head(
    run: Callable[..., Result],
    public_key: str,
    engine: Engine,
    make_tenant: MakeTenant,
    tmp_path: Path,
) -> None:
    assert public_key
    decided = a_decision(make_tenant().id)
    DecisionLog(engine).write([decided])
    run("seal", "run", "--once")
    proof = tmp_path / "proof.json"
    run("prove", str(decided.prediction_id), "--out", str(proof))
    (tmp_path / "seal.key").unlink()
    another = run("seal", "init", "--name", "bank.example/sentinel").stdout.strip()
    assert "did not sign" in check(proof, another).stderr
    verified = run("verify")
    assert verified.exit_code == 1
    assert "did not sign it" in verified.output
