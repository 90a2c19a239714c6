"""Uploads are decided once whatever happens, audited, and seen by their tenant alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text

from console.uploads import file_routes
from persistence.maintenance.maintenance import maintain
from persistence.uploads.files import read_part
from persistence.uploads.storing import MAX_OPEN
from persistence.uploads.work import LeaseLost, claim_upload, finish_upload
from scoring.errors import InFlight, NotFound, StoreUnavailable
from scoring.model.fraud_model import FraudModel
from serving.uploads.runner import CHUNK_ROWS, UploadRunner
from tests.support.console.site import Person, Site
from tests.support.console.uploads import audited, facts, send, sent, started, stored, table
from tests.support.data.uploads import a_runner, payments


def leases_are_over(site: Site) -> None:
    with site.engine.begin() as connection:
        connection.execute(text(f"SET LOCAL sentinel.tenant_ids = '{site.tenant.id}'"))
        connection.execute(text("UPDATE upload_leases SET until = now()"))


def with_own_ids(rows: int) -> str:
    header, *lines = payments(str(i) for i in range(rows)).split()
    ids = [f"{line}{i}" for i, line in enumerate(lines)]
    return "\n".join([header.replace("note", "external_id"), *ids])


def interrupted(runner: UploadRunner, then: Callable[[], None]) -> UploadRunner:
    """Return a worker that does something after its first rows are decided and before they count.

    Args:
        runner: worker.
        then: what it does once.
    """
    decide, calls = runner._scorer.store, []

    def store(items: Any) -> Any:
        outcome = decide(items)
        calls.append(len(items))
        if len(calls) == 1:
            then()
        return outcome

    runner._scorer.store = store  # type: ignore[method-assign]
    return runner


def test_rows_that_are_decided_when_a_person_stops_count_and_are_in_the_results(
    site: Site, senior: Person, runner: UploadRunner
) -> None:
    address = started(senior, with_own_ids(CHUNK_ROWS + 2))
    interrupted(runner, lambda: senior.submit(f"{address}/stop") and None).work()
    upload = facts(site, address)
    assert (upload.status, upload.counts.rows) == ("stopped", CHUNK_ROWS)
    assert len(stored(site)) == len(table(senior.get(f"{address}/results.csv"))) == CHUNK_ROWS
    senior.submit(f"{address}/continue")
    runner.work()
    upload = facts(site, address)
    assert (upload.status, upload.counts.scored) == ("done", CHUNK_ROWS + 2)


def test_rows_that_the_upload_itself_decided_were_not_scored_before(
    site: Site, senior: Person, runner: UploadRunner
) -> None:
    def lose_the_store() -> None:
        raise StoreUnavailable("The connection broke.")

    address = started(senior, with_own_ids(3))
    with pytest.raises(StoreUnavailable):
        interrupted(runner, lose_the_store).work()
    assert len(stored(site)) == 3
    runner.work()  # at once: the lease was given back
    upload = facts(site, address)
    assert (upload.status, upload.counts.scored, upload.counts.repeated) == ("done", 3, 0)
    again = started(senior, with_own_ids(3))
    runner.work()
    assert facts(site, again).counts.repeated == 3


def test_rows_that_another_request_decides_wait_and_are_rejected_only_after_a_while(
    site: Site, senior: Person, runner: UploadRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.uploads.chunk_scorer._AGAIN_AFTER_S", 0.0)
    address = started(senior, with_own_ids(3))
    decide, sizes = runner._scorer.store, []

    def store(items: Any) -> Any:
        sizes.append(len(items))
        outcomes, report = decide(items)
        in_flight = InFlight("The first request has no reply yet.")
        ids = [item.transactions[0].external_id for item in items]
        return [
            in_flight if one == "1" else own for one, own in zip(ids, outcomes, strict=True)
        ], report

    runner._scorer.store = store  # type: ignore[method-assign]
    runner.work()
    assert sizes == [3, 1, 1, 1, 1], "what is decided is not sent again"
    assert facts(site, address).counts.rows == 0
    leases_are_over(site)
    monkeypatch.setattr("serving.uploads.stuck.IN_FLIGHT_S", 0.0)
    runner.work()
    counts = facts(site, address).counts
    assert (counts.scored, counts.rejected, counts.repeated) == (2, 1, 0)
    (bad,) = table(senior.get(f"{address}/rejects.csv"))
    assert bad["error"] == "external_id is being decided by another request"


def test_a_person_who_goes_on_does_not_wait_for_the_lease_of_who_had_it(
    senior: Person, service_engine: Engine
) -> None:
    address = started(senior, payments(["1"]))
    assert claim_upload(service_engine, uuid4())
    senior.submit(f"{address}/stop")
    senior.submit(f"{address}/continue")
    assert claim_upload(service_engine, uuid4())


def test_work_that_was_cut_off_goes_on_at_the_next_chunk_and_decides_each_row_once(
    site: Site, senior: Person, service_engine: Engine, model: FraudModel
) -> None:
    rows = 3 * CHUNK_ROWS + 1
    address = started(senior, payments(str(i) for i in range(rows)))

    breaking = a_runner(service_engine, model)
    decide, calls = breaking._scorer.store, []

    def store(items: Any) -> Any:
        calls.append(len(items))
        outcome = decide(items)
        if len(calls) == 2:
            raise KeyboardInterrupt  # after the decisions are stored, before the chunk is
        return outcome

    breaking._scorer.store = store  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        breaking.work()
    assert facts(site, address).counts.rows == CHUNK_ROWS
    other = a_runner(service_engine, model)
    other.work()
    assert facts(site, address).counts.rows == CHUNK_ROWS, "the lease is not over"
    leases_are_over(site)
    other.work()
    assert facts(site, address).status == "done"
    assert [amount for _, amount, _ in stored(site)] == [float(i) for i in range(rows)]
    results = table(senior.get(f"{address}/results.csv"))
    assert [one["amount"] for one in results] == [str(i) for i in range(rows)]
    assert facts(site, address).counts.repeated == 0


def test_two_processes_never_have_one_upload(senior: Person, service_engine: Engine) -> None:
    started(senior, payments(["1"]))
    job = claim_upload(service_engine, uuid4())
    assert job is not None
    assert claim_upload(service_engine, uuid4()) is None
    with pytest.raises(LeaseLost):
        finish_upload(service_engine, job._replace(holder=uuid4()))


def test_an_upload_without_a_model_waits_for_one_and_then_fails_with_the_reason(
    site: Site,
    senior: Person,
    service_engine: Engine,
    runner: UploadRunner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = started(senior, payments(["1"]))
    without = a_runner(service_engine, None)
    without.work()
    assert facts(site, address).status == "started", "another process may have a model"
    assert claim_upload(service_engine, uuid4()) is None, "it is not tried all the time"
    monkeypatch.setattr("serving.uploads.stuck.GIVE_UP_S", 0.0)
    leases_are_over(site)
    without.work()
    page = senior.get(address).text
    assert "No model version is in production for this tenant" in page
    assert senior.submit(f"{address}/continue").status_code == 303
    runner.work()
    assert facts(site, address).status == "done"
    assert len(stored(site)) == 1


def test_a_person_stops_an_upload_and_discards_one_that_was_not_started(
    site: Site, senior: Person, runner: UploadRunner
) -> None:
    address = started(senior, payments(["1"]))
    senior.submit(f"{address}/stop")
    runner.work()
    assert stored(site) == []
    assert "Go on" in senior.get(address).text
    other = sent(senior, payments(["2"]))
    senior.submit(f"{other}/discard")
    assert senior.get(f"{other}/file.csv").status_code == 404
    assert senior.submit(f"{other}/start", **{"f.amount": "amount"}).status_code == 303
    assert facts(site, other).status == "discarded"


def test_every_step_is_in_the_audit_log_with_the_person(
    site: Site, senior: Person, runner: UploadRunner
) -> None:
    address = started(senior, payments(["1"]))
    runner.work()
    senior.get(f"{address}/results.csv")
    assert audited(site) == [
        ("Bo Senior", "upload.created", "new"),
        ("Bo Senior", "upload.changed", "started"),
        ("sentinel", "upload.changed", "done"),
    ]
    admin = site.person("admin")
    log = admin.get("/console/audit").text
    assert f'sent the file of the upload <a href="{address}"' in log
    assert f'started the upload <a href="{address}"' in log
    assert "exported a file of the upload" in admin.get("/console/audit?log=reads").text


def test_analysts_see_uploads_and_may_not_send_one(site: Site, senior: Person) -> None:
    address = sent(senior, payments(["1"]))
    analyst = site.person()
    assert 'type="file"' not in analyst.get("/console/uploads").text
    assert analyst.get(address).status_code == 200
    assert send(analyst, payments(["1"])).status_code == 403
    for step in ("start", "check", "stop", "continue", "discard"):
        assert analyst.submit(f"{address}/{step}").status_code == 403
    forged = senior.post("/console/uploads", files={"file": ("a.csv", b"a\n1")})
    assert forged.status_code == 403


def test_another_tenant_finds_no_upload_and_none_of_its_files(
    site: Site, senior: Person, runner: UploadRunner
) -> None:
    address = started(senior, payments(["1", "x"]))
    runner.work()
    stranger = site.person(site.stranger)
    for path in ("", "/progress", "/results.csv", "/rejects.csv", "/file.csv"):
        assert senior.get(f"{address}{path}").status_code == 200
        assert stranger.get(f"{address}{path}").status_code == 404
    for step in ("start", "check", "stop", "continue", "discard"):
        assert stranger.submit(f"{address}/{step}").status_code == 404
    assert "payments.csv" not in stranger.get("/console/uploads").text
    assert sent(stranger, payments(["1"])) == "/console/uploads/1", "numbers are the tenant's own"


def test_a_tenant_has_few_uploads_open_at_a_time(senior: Person) -> None:
    addresses = [sent(senior, payments([str(i)])) for i in range(MAX_OPEN)]
    refused = send(senior, payments(["99"]))
    assert refused.status_code == 422
    assert f"{MAX_OPEN} uploads are waiting or under way already" in refused.text
    senior.submit(f"{addresses[0]}/discard")
    assert sent(senior, payments(["99"]))


def test_a_file_that_was_scored_before_is_named_and_progress_refreshes_the_page_at_the_end(
    senior: Person, runner: UploadRunner
) -> None:
    first = started(senior, payments(["1"]))
    under_way = senior.get(f"{first}/progress")
    assert "HX-Refresh" not in under_way.headers
    assert 'max="1" value="0"' in under_way.text
    runner.work()
    assert senior.get(f"{first}/progress").headers["HX-Refresh"] == "true"
    second = sent(senior, payments(["1"]))
    assert "The same file was scored before" in senior.get(second).text


def test_maintenance_removes_old_files_and_keeps_the_upload_and_its_decisions(
    site: Site, senior: Person, runner: UploadRunner
) -> None:
    done, left = started(senior, payments(["1", "x"])), sent(senior, payments(["2"]))
    runner.work()
    stopped = started(senior, payments(["3"]))
    senior.submit(f"{stopped}/stop")
    lines: list[str] = []
    maintain(site.engine, datetime.now(UTC) + timedelta(hours=30), report=lines.append)
    assert "Removed the files of 1 upload." in lines
    assert facts(site, left).status == "discarded"
    assert senior.get(f"{done}/results.csv").status_code == 200
    maintain(site.engine, datetime.now(UTC) + timedelta(days=31))
    assert senior.get(f"{done}/results.csv").status_code == 404
    page = senior.get(done)
    assert "The files were removed" in page.text
    assert facts(site, done).counts.rejected == 1
    senior.submit(f"{stopped}/continue")
    assert facts(site, stopped).status == "stopped", "there is no file to go on with"
    assert len(stored(site)) == 1


def test_a_download_from_which_rows_are_removed_meanwhile_does_not_look_complete(
    site: Site, senior: Person, runner: UploadRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = started(senior, payments(["1", "2", "x"]))
    number = int(done.rpartition("/")[2])
    runner.work()
    whole = table(senior.get(f"{done}/results.csv"))
    read = file_routes.read_lines

    def removed_first(*arguments: Any) -> Any:
        maintain(site.engine, datetime.now(UTC) + timedelta(days=31))
        return read(*arguments)

    monkeypatch.setattr(file_routes, "read_lines", removed_first)
    (row,) = table(senior.get(f"{done}/results.csv"))
    assert row.keys() == whole[0].keys()
    assert "were removed" in next(iter(row.values()))
    with pytest.raises(NotFound):
        read_part(site.engine, site.tenant.id, number, 0)
