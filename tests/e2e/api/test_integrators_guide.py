"""The guide's curl, Python and TypeScript run as printed, and a TypeScript client type-checks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from persistence.api_keys import issue_key
from persistence.tenants import create_tenant
from tests.support.paths import PROJECT
from tests.support.stack import KEY_SECRET
from tests.support.system import System
from tools.typescript import find

GUIDE = PROJECT / "docs/api.md"
BLOCK = re.compile(r"^<!-- block: ([a-z]+) -->\n```[a-z]+\n(.*?)^```$", re.M | re.S)
BLOCKS = dict(BLOCK.findall(GUIDE.read_text()))
TSC = (
    *("--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes"),
    *("--target", "es2022", "--lib", "es2022,dom,dom.iterable"),
    *("--module", "nodenext", "--outDir", "compiled"),
)


@pytest.fixture(scope="module")
def system(shared_system: System) -> System:
    """The service that several modules share; these tests use a tenant of their own."""
    return shared_system


@pytest.fixture(scope="module")
def integrator(
    system: System, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, str]]:
    """A folder like one beside `make demo`, and the environment that demo.env sets."""
    folder = tmp_path_factory.mktemp("integrator")
    tenant = create_tenant(system.engine, "integrator", "fraud-integrator", is_test=True)
    key = issue_key(system.engine, tenant.id, ("score", "review", "admin"), KEY_SECRET)
    settings = {"SENTINEL_URL": system.service.url, "SENTINEL_API_KEY": key}
    (folder / ".sentinel").mkdir()
    (folder / ".sentinel/demo.env").write_text(
        "".join(f"export {name}={value}\n" for name, value in settings.items())
    )
    body = {"nameOrig": "TEST-HIGH", "step": 0, "type": "DEBIT", "amount": 1.0}
    body |= {"oldbalanceOrg": 1.0, "nameDest": "C1", "oldbalanceDest": 0.0}
    system.service.child.wait_until(
        lambda: system.service.post("/explain", {"transaction": body}, key).is_success, 10
    )
    return folder, settings


def run(folder: Path, *command: str, **environment: str) -> str:
    """Run a command that has to succeed; return what it prints."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_every_block_is_run() -> None:
    assert set(BLOCKS) == {"curl", "python", "typescript"}


def test_the_curl_commands_run_as_printed(integrator: tuple[Path, dict[str, str]]) -> None:
    folder, _ = integrator
    reply = run(folder, "bash", "-euo", "pipefail", "-c", BLOCKS["curl"])
    printed = GUIDE.read_text().partition("The reply, without")[2].partition("## Python")[0]
    parts = re.findall(r'"(?:score|base_value|margin)": [\d.-]+|\{"name": [^}]*\}', printed)
    assert len(parts) == 6
    for part in parts:
        assert part.replace(": ", ":").replace(", ", ",") in reply


def test_the_python_program_runs_as_printed(
    system: System, integrator: tuple[Path, dict[str, str]]
) -> None:
    folder, settings = integrator
    (folder / "client.py").write_text(BLOCKS["python"])
    before = system.count("feedback")
    printed = run(folder, sys.executable, "client.py", **settings)
    assert printed.startswith("review high\nThe amount is ")
    assert "the payer's whole balance, which multiplies the model's odds of fraud by" in printed
    assert system.count("feedback") == before + 1


def test_generated_typescript_types_compile_strictly_and_the_programs_run(
    system: System, integrator: tuple[Path, dict[str, str]]
) -> None:
    folder, settings = integrator
    tools = find()
    (folder / "node_modules").symlink_to(tools / "node_modules")
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "openapi.json").write_bytes(system.service.client.get("/openapi.json").content)
    (folder / "guide.ts").write_text(BLOCKS["typescript"])
    shutil.copyfile(Path(__file__).with_name("typescript_client.ts"), folder / "client.ts")
    binaries = tools / "node_modules" / ".bin"
    run(folder, f"{binaries}/openapi-typescript", "openapi.json", "--output", "sentinel.d.ts")
    run(folder, f"{binaries}/tsc", *TSC, "guide.ts", "client.ts")
    assert run(folder, "node", "compiled/client.js", **settings) == ""
    printed = run(folder, "node", "compiled/guide.js", **settings)
    assert printed.startswith("review medium\nThe amount is ")
