"""The store keeps what it is given, gives it back typed, and closes a run once."""

import json
import os
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from errors import Conflict, InvalidInput, NotFound, Unavailable
from records.gates import Gates
from records.run import RunPlan
from records.schema import FieldSpec, Schema
from settings import PROJECT_ROOT
from storage import Store
from store.database import NEWEST
from store.run_lists import RunQuery
from store.run_rows import RunFile, RunRow, RunSummary
from store.tables import metadata
from tests.support.databases import in_processes

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
A, B, C = "a" * 64, "b" * 64, "c" * 64


def a_run(id: str = "run-1", **fields: Any) -> RunRow:
    defaults = {
        "name": "A run",
        "created_at": NOON,
        "model_name": "model.pkl",
        "model_sha256": A,
        "model_bytes": 10,
    }
    return RunRow(id=id, **(defaults | fields))


def submitted(store: Store, run: RunRow) -> None:
    with store.transaction():
        store.runs.insert(run.model_copy(update={"job_id": f"job-{run.id}"}))
        store.jobs.insert(f"job-{run.id}", "run", run.id, {})


# -- rows ---------------------------------------------------------------------------------------------


def test_a_run_comes_back_as_it_was_stored(store: Store) -> None:
    run = a_run(
        tags=("ci", "with space"),
        source="client",
        sample_sha256=B,
        target="y",
        plan=RunPlan(rows=7, gates=Gates(p95_ms=5.5)),
        user_schema=Schema(features=(FieldSpec(name="x", min=0, max=1), FieldSpec(name="é", type="boolean"))),
        p95_ms=1.25,
        state="passed",
        stage="done",
    )
    store.runs.insert(run, report={"id": "run-1"})
    assert store.runs.get("run-1") == run
    assert store.runs.report("run-1") == {"id": "run-1"}


def test_an_unknown_run_is_none_and_has_no_report(store: Store) -> None:
    assert store.runs.get("nothing") is None
    assert store.runs.report("nothing") is None


def test_a_run_without_a_report_yet_has_none(store: Store) -> None:
    store.runs.insert(a_run())
    assert store.runs.report("run-1") is None


def test_the_same_id_twice_is_a_conflict(store: Store) -> None:
    store.runs.insert(a_run())
    with pytest.raises(Conflict):
        store.runs.insert(a_run(name="Another"))


def test_moments_come_back_in_utc_whatever_zone_they_went_in(store: Store) -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=5)))
    store.runs.insert(a_run(created_at=elsewhere))
    run = store.runs.get("run-1")
    assert run is not None
    assert run.created_at == NOON
    assert run.created_at.utcoffset() == timedelta(0)


def test_what_json_and_postgresql_cannot_hold_is_replaced(store: Store) -> None:
    store.runs.insert(
        a_run(name="nul \x00 and surrogate \ud800", tags=("a\x00b", "two\nlines"), p95_ms=float("nan")),
        report={"score": float("nan"), "worst": float("-inf"), "te\x00xt": ["\udfff", {"fine": 0.5}]},
    )
    run = store.runs.get("run-1")
    assert run is not None
    assert run.name == "nul \ufffd and surrogate \ufffd"
    assert run.tags == ("a\ufffdb", "two lines")
    assert run.p95_ms is None
    assert store.runs.report("run-1") == {
        "score": None,
        "worst": None,
        "te\ufffdxt": ["\ufffd", {"fine": 0.5}],
    }


def test_a_plan_that_could_not_be_read_back_is_refused_and_the_list_still_works(store: Store) -> None:
    plan = RunPlan.model_validate_json('{"gates": {"baseline_p95_ratio": 1e999}}')
    with pytest.raises(InvalidInput, match="baseline_p95_ratio"):
        store.runs.insert(a_run(plan=plan))
    assert store.runs.list(RunQuery()).total == 0


def test_an_error_inside_a_transaction_undoes_all_of_it(store: Store) -> None:
    with pytest.raises(RuntimeError), store.transaction():
        store.runs.insert(a_run())
        store.jobs.insert("job", "run", "run-1", {})
        assert store.runs.get("run-1") is not None
        raise RuntimeError
    assert store.runs.get("run-1") is None
    assert store.jobs.get("job") is None


def test_another_thread_neither_joins_nor_sees_an_open_transaction(store: Store) -> None:
    with ThreadPoolExecutor(1) as other, store.transaction():
        store.runs.insert(a_run())
        assert other.submit(store.runs.get, "run-1").result() is None
    assert store.runs.get("run-1") is not None


# -- lists --------------------------------------------------------------------------------------------


def listed(store: Store, **query: Any) -> list[str]:
    return [run.id for run in store.runs.list(RunQuery(**query)).rows]


def test_pages_show_every_run_once_while_runs_are_added_and_deleted(store: Store) -> None:
    for number in range(10):  # pairs share a moment, so that the id decides
        store.runs.insert(a_run(f"run-{number}", created_at=NOON + timedelta(seconds=number // 2)))
    expected = [f"run-{number}" for number in (9, 8, 7, 6, 5, 4, 3, 2, 1, 0)]
    seen: list[str] = []
    cursor = None
    for page_number in range(4):
        page = store.runs.list(RunQuery(limit=3, cursor=cursor))
        seen += [run.id for run in page.rows]
        cursor = page.next_cursor
        store.runs.insert(a_run(f"new-{page_number}", created_at=NOON + timedelta(hours=1)))
        store.runs.delete(page.rows[-1].id)  # the very row that the cursor points at
    assert seen == expected
    assert cursor is None


def test_a_full_last_page_has_no_cursor_and_the_total_counts_all_pages(store: Store) -> None:
    for number in range(4):
        store.runs.insert(a_run(f"run-{number}"))
    first = store.runs.list(RunQuery(limit=2))
    last = store.runs.list(RunQuery(limit=2, cursor=first.next_cursor))
    assert (first.total, last.total) == (4, 4)
    assert last.next_cursor is None


@pytest.mark.parametrize("cursor", ["", "x", "!!!", "bnVsbA", "WzEsMl0", "é", "A" * 10_000, "W1tbW1tbW1tb"])
def test_a_cursor_that_is_not_ours_is_invalid_input(store: Store, cursor: str) -> None:
    with pytest.raises(InvalidInput) as error:
        store.runs.list(RunQuery(cursor=cursor))
    assert error.value.field == "cursor"


def test_runs_are_filtered_by_state_source_model_and_tag(store: Store) -> None:
    store.runs.insert(a_run("a", state="passed", tags=("nightly", "x"), model_name="Churn_v1.pkl"))
    store.runs.insert(a_run("b", state="failed", source="client", model_name="churnXv1.pkl"))
    store.runs.insert(a_run("c", state="queued", tags=("night",), model_name="50% off.pkl"))
    assert listed(store, states=("passed", "failed")) == ["b", "a"]
    assert listed(store, source="client") == ["b"]
    assert listed(store, model="churn_V") == ["a"]  # the underscore is no wildcard
    assert listed(store, model="%") == ["c"]
    assert listed(store, tag="night") == ["c"]
    assert listed(store, tag="nightly", states=("failed",)) == []


def test_the_change_token_moves_with_every_insert_change_and_delete(store: Store) -> None:
    tokens = [store.runs.last_change()]
    submitted(store, a_run())
    tokens.append(store.runs.last_change())
    store.jobs.claim("w", 60)
    store.runs.start("run-1", 1)
    tokens.append(store.runs.last_change())
    store.runs.progress("run-1", 1, "rows", 0.5)
    tokens.append(store.runs.last_change())
    assert store.runs.last_change() == tokens[-1]
    store.runs.delete("run-1")
    store.runs.insert(a_run("run-2"))
    tokens.append(store.runs.last_change())
    assert len(set(tokens)) == len(tokens)


# -- closing a run ------------------------------------------------------------------------------------


def test_the_attempt_that_holds_the_job_finishes_the_run_with_report_and_files(store: Store) -> None:
    submitted(store, a_run())
    store.jobs.claim("w", 60)
    assert store.runs.start("run-1", 1)
    assert store.runs.progress("run-1", 1, "latency", 0.4)
    summary = RunSummary(framework="scikit-learn", p95_ms=3.5, checks_failed=1)
    rows = RunFile(name="rows.parquet", sha256=B, bytes=5, media_type="application/vnd.apache.parquet")
    assert store.runs.finish("run-1", 1, "failed", {"p95": 3.5}, summary, [rows])
    run = store.runs.get("run-1")
    assert run is not None
    assert (run.state, run.stage, run.progress) == ("failed", "done", 1.0)
    assert (run.framework, run.p95_ms, run.checks_failed) == ("scikit-learn", 3.5, 1)
    assert run.started_at is not None and run.finished_at is not None
    assert run.started_at <= run.finished_at
    assert store.runs.report("run-1") == {"p95": 3.5}
    assert store.runs.files("run-1") == (rows,)


def test_an_attempt_that_lost_the_job_can_neither_report_progress_nor_finish(store: Store) -> None:
    submitted(store, a_run())
    store.jobs.claim("slow", -1)
    store.jobs.claim("quick", 60)
    rows = RunFile(name="rows.parquet", sha256=B, bytes=5, media_type="x/y")
    assert not store.runs.start("run-1", 1)
    assert not store.runs.progress("run-1", 1, "rows", 0.9)
    assert not store.runs.finish("run-1", 1, "failed", {"by": "slow"}, files=[rows])
    assert store.runs.files("run-1") == ()
    assert store.runs.finish("run-1", 2, "passed", {"by": "quick"})
    assert store.runs.report("run-1") == {"by": "quick"}


def test_a_closed_run_stays_as_it_was_closed(store: Store) -> None:
    submitted(store, a_run())
    store.jobs.claim("w", 60)
    assert store.runs.mark_cancelled("run-1")
    assert not store.runs.finish("run-1", 1, "passed", {})
    assert not store.runs.mark_error("run-1", "too late")
    run = store.runs.get("run-1")
    assert run is not None
    assert (run.state, run.error_message) == ("cancelled", "The run was cancelled.")


def test_an_open_run_is_marked_as_an_error_with_its_message(store: Store) -> None:
    store.runs.insert(a_run())
    assert store.runs.mark_error("run-1", "the worker died")
    run = store.runs.get("run-1")
    assert run is not None
    assert (run.state, run.error_message) == ("error", "the worker died")
    assert run.finished_at is not None
    assert not store.runs.mark_error("nothing", "x")


# -- files, deletion, idempotency ---------------------------------------------------------------------


def test_deleting_a_run_frees_only_the_files_that_nothing_else_uses(store: Store) -> None:
    store.runs.insert(a_run("one", model_sha256=A, sample_sha256=B))
    store.runs.insert(a_run("two", model_sha256=A))
    store.runs.add_file("one", RunFile(name="rows.parquet", sha256=C, bytes=1, media_type="x/y"))
    assert store.runs.delete("one") == (B, C)
    assert store.runs.referenced(A)
    assert store.runs.delete("two") == (A,)
    assert not store.runs.referenced(A)
    with pytest.raises(NotFound):
        store.runs.delete("two")


def test_a_file_that_an_open_job_inspects_is_kept_until_the_job_is_over(store: Store) -> None:
    store.runs.insert(a_run())
    store.jobs.insert("look", "inspect", A, {})
    assert store.runs.delete("run-1") == ()
    store.jobs.request_cancel("look")
    assert not store.runs.referenced(A)


def test_deleting_a_run_deletes_its_job_so_that_its_worker_stops(store: Store) -> None:
    submitted(store, a_run())
    store.jobs.claim("w", 60)
    store.runs.delete("run-1")
    assert not store.jobs.extend("job-run-1", 1, 60).still_mine


def test_a_file_of_the_same_name_is_replaced_and_one_of_an_unknown_run_refused(store: Store) -> None:
    store.runs.insert(a_run())
    for sha256 in (B, C):
        store.runs.add_file("run-1", RunFile(name="shap.parquet", sha256=sha256, bytes=1, media_type="x/y"))
    assert [file.sha256 for file in store.runs.files("run-1")] == [C]
    with pytest.raises(NotFound):
        store.runs.add_file("nothing", RunFile(name="n", sha256=A, bytes=1, media_type="x/y"))


def test_an_idempotency_key_leads_to_its_run_and_conflicts_with_another_request(store: Store) -> None:
    store.runs.insert(a_run())
    assert store.runs.claim_idempotency("key", "print", "run-1") is None
    assert store.runs.claim_idempotency("key", "print", "run-2") == "run-1"
    with pytest.raises(Conflict):
        store.runs.claim_idempotency("key", "other print", "run-2")
    store.runs.delete("run-1")
    assert store.runs.claim_idempotency("key", "other print", "run-2") is None


# -- the database -------------------------------------------------------------------------------------

START = """
from store.database import Database  # what Store.migrate calls; starts without pandas

def work(number, url):
    database = Database(url)
    database.migrate()
    database.close()
    print("started")
"""


@pytest.mark.skipif(os.name == "nt", reason="needs fork")
def test_four_simultaneous_first_starts_all_succeed_from_any_folder(url: str, tmp_path: Path) -> None:
    assert in_processes(4, START, url, cwd=tmp_path) == ["started"] * 4
    store = Store(url)
    assert store.runs.list(RunQuery()).total == 0
    store.close()


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(store: Store, url: str) -> None:
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    finally:
        engine.dispose()


def test_the_code_names_the_newest_migration_as_its_own_version() -> None:
    newest = max((PROJECT_ROOT / "migrations" / "versions").glob("*.py")).name
    assert newest.startswith(f"{NEWEST}_")


def test_migrating_again_keeps_the_data(store: Store) -> None:
    store.runs.insert(a_run())
    store.migrate()
    assert store.runs.get("run-1") == a_run()


def test_a_database_newer_than_the_code_is_refused_by_name(store: Store, url: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(Unavailable, match="9999"):
        store.migrate()


def database_files(folder: Path) -> dict[str, int]:
    """Each file's rights."""
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
@pytest.mark.parametrize("made_before", [False, True])
def test_only_the_servers_user_may_read_a_sqlite_database(tmp_path: Path, made_before: bool) -> None:
    path = tmp_path / "store.sqlite3"
    umask = os.umask(0o022)
    try:
        if made_before:  # and not closed, as by a program that died: its log is still there
            open_earlier = sqlite3.connect(path)
            open_earlier.execute("PRAGMA journal_mode=WAL")
            open_earlier.execute("CREATE TABLE earlier (x)")
            assert set(database_files(tmp_path).values()) == {0o644}
        store = Store(f"sqlite:///{path}")
        store.migrate()
        store.runs.insert(a_run())
        expected = {f"store.sqlite3{end}": 0o600 for end in ("", "-wal", "-shm")}
        assert database_files(tmp_path) == expected
        store.close()
        if made_before:
            open_earlier.close()
    finally:
        os.umask(umask)


def test_sqlite_runs_with_the_pragmas_that_durability_needs(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'store.sqlite3'}")
    store.migrate()
    with store._database.reading() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 30_000, "foreign_keys": 1}
    store.close()


def test_reading_and_idle_polling_do_not_wait_for_a_writer(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'store.sqlite3'}")
    store.migrate()
    writer = sqlite3.connect(tmp_path / "store.sqlite3", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")  # would hold a second writer for 30 s, and then fail it
    try:
        assert store.jobs.claim("w", 60) is None
        assert store.jobs.reap() == ()
        assert store.runs.list(RunQuery()).total == 0
    finally:
        writer.close()
        store.close()


@pytest.mark.parametrize("url", ["mysql://host/db", "not a url", "sqlite://", "sqlite:///:memory:"])
def test_a_database_that_cannot_be_shared_or_read_is_refused(url: str) -> None:
    with pytest.raises(Unavailable):
        Store(url)


def test_the_mark_moves_when_another_process_writes_and_not_when_it_reads(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'marked.sqlite3'}"
    store, other = Store(url), Store(url)  # two engines, as two processes have them
    store.migrate()
    before = store.mark()
    assert before is not None
    other.check_writable()
    assert store.mark() == before
    other.jobs.insert("1" * 32, "run", "a run", {})
    after = store.mark()
    assert after != before
    store.jobs.insert("2" * 32, "run", "another", {})  # by a connection of the same process, too
    assert store.mark() != after
    store.close()
    other.close()


def test_a_database_that_cannot_be_opened_is_reported_with_the_setting(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'missing' / 'store.sqlite3'}")
    with pytest.raises(Unavailable) as error:
        store.migrate()
    assert "DATABASE_URL" in error.value.hint
    store.close()


def test_a_stored_report_is_plain_json_for_other_tools(store: Store, url: str) -> None:
    store.runs.insert(a_run(), report={"é": [1, 2.5, None, True]})
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        text = connection.execute(sa.text("SELECT CAST(report AS TEXT) FROM run_reports")).scalar_one()
    engine.dispose()
    assert json.loads(text) == {"é": [1, 2.5, None, True]}
