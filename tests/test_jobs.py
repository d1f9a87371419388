"""A job is done by one attempt at a time, is never lost, and never done twice."""

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from errors import ChildDied, NotFound
from jobs import Jobs
from settings import Settings
from storage import Store
from store.jobs import JobRow, Lease
from store.run_rows import RunRow
from tests.support.databases import in_processes

EXPIRED = -1.0  # a lease that ended before it began


@pytest.fixture
def queue(store: Store, tmp_path: Path) -> Jobs:
    return Jobs(store, Settings(_env_file=None, data_dir=tmp_path, lease_s=60))


def taken(job: JobRow | None) -> JobRow:
    assert job is not None
    return job


def test_a_queue_is_stalled_when_work_waits_and_nobody_gives_a_sign_of_life(store: Store) -> None:
    jobs = store.jobs
    assert not jobs.is_stalled(0)  # nothing to do
    jobs.insert("a", "run", "r", {})
    assert not jobs.is_stalled(60) and jobs.is_stalled(0)  # it has only just come
    assert jobs.claim("w", 60) is not None
    jobs.insert("b", "run", "r", {})
    assert not jobs.is_stalled(0)  # b waits for a worker that is busy with a
    assert jobs.finish("a", 1)
    assert not jobs.is_stalled(60) and jobs.is_stalled(0)
    assert jobs.claim("w", EXPIRED) is not None
    jobs.insert("c", "inspect", "m", {})
    jobs.request_cancel("c")  # by its caller: no sign of a worker
    assert jobs.is_stalled(0)
    assert not jobs.is_stalled(60)  # a was finished within that time


def test_a_lease_that_ran_out_is_work_that_waits(store: Store) -> None:
    store.jobs.insert("a", "run", "r", {})
    assert store.jobs.claim("w", EXPIRED) is not None
    assert store.jobs.is_stalled(60)
    assert store.jobs.claim("another", 60) is not None
    assert not store.jobs.is_stalled(60)


def test_a_submitted_job_is_claimed_worked_on_and_finished(queue: Jobs) -> None:
    submitted = queue.submit("example", "wine", {"seed": 1})
    assert (submitted.state, submitted.attempt, submitted.payload) == ("queued", 0, {"seed": 1})
    assert submitted.created_at.tzinfo == UTC
    job = taken(queue.claim("w1"))
    assert (job.id, job.state, job.attempt) == (submitted.id, "running", 1)
    assert queue.extend(job.id, job.attempt) == Lease(still_mine=True, cancel_requested=False)
    assert queue.progress(job.id, job.attempt, "load", 0.25)
    assert (queue.get(job.id).stage, queue.get(job.id).progress) == ("load", 0.25)
    assert queue.finish(job.id, job.attempt, {"score": float("nan"), "rows": 3})
    done = queue.get(job.id)
    assert (done.state, done.result, done.progress) == ("done", {"score": None, "rows": 3}, 1.0)
    assert done.finished_at is not None and done.finished_at >= done.created_at
    assert queue.claim("w1") is None


def test_the_most_urgent_job_is_claimed_first_then_the_oldest(queue: Jobs) -> None:
    for subject, priority in (("old", 0), ("new", 0), ("urgent", 5), ("later", -5)):
        queue.submit("inspect", subject, priority=priority)
    assert [taken(queue.claim("w")).subject for _ in range(4)] == ["urgent", "old", "new", "later"]


def test_a_job_under_a_lease_is_nobody_elses(queue: Jobs) -> None:
    queue.submit("run", "r")
    queue.claim("w1")
    assert queue.claim("w2") is None


def test_an_expired_lease_passes_the_job_on_and_the_old_attempt_can_write_no_more(
    store: Store, queue: Jobs
) -> None:
    id = queue.submit("run", "r").id
    store.jobs.claim("slow", EXPIRED)
    assert taken(queue.claim("quick")).attempt == 2
    assert queue.extend(id, 1) == Lease(still_mine=False, cancel_requested=False)
    assert not queue.progress(id, 1, "rows", 0.9)
    assert not queue.finish(id, 1, {"by": "slow"})
    assert not queue.fail(id, 1, {"code": "x"})
    assert not queue.cancelled(id, 1)
    assert queue.finish(id, 2, {"by": "quick"})
    assert not queue.finish(id, 2, {"by": "quick, again"})
    assert queue.get(id).result == {"by": "quick"}


def test_a_lease_ends_by_the_databases_clock_unless_it_is_extended(store: Store, queue: Jobs) -> None:
    id = queue.submit("run", "r").id
    store.jobs.claim("w1", 0.2)
    assert store.jobs.extend(id, 1, 60).still_mine
    time.sleep(0.3)
    assert store.jobs.claim("w2", 60) is None
    assert store.jobs.extend(id, 1, 0.05).still_mine
    time.sleep(0.1)
    assert taken(store.jobs.claim("w2", 60)).attempt == 2


def test_a_job_whose_lease_expired_goes_back_until_its_attempts_are_used_up(
    store: Store, queue: Jobs
) -> None:
    id = queue.submit("run", "r", max_attempts=2).id
    store.jobs.claim("w", EXPIRED)
    assert queue.reap() == ()
    assert queue.get(id).state == "queued"
    store.jobs.claim("w", EXPIRED)
    assert queue.claim("w") is None  # no third attempt
    (lost,) = queue.reap()
    assert (lost.id, lost.state, taken_code(lost)) == (id, "failed", "worker_lost")
    assert lost.finished_at is not None
    assert queue.reap() == ()


def test_a_job_knows_the_workers_that_it_was_lost_with(store: Store, queue: Jobs) -> None:
    queue.submit("run", "r", max_attempts=3)
    assert taken(store.jobs.claim("host-1", EXPIRED)).lost_workers == ""
    assert queue.reap() == ()
    assert taken(store.jobs.claim("host-2", EXPIRED)).lost_workers == "host-1"  # back in the queue, then
    third = taken(store.jobs.claim("host-3", EXPIRED))  # taken over without having been there
    assert (third.lost_workers, third.worker) == ("host-1, then host-2", "host-1, then host-2, then host-3")


def test_a_run_that_lost_its_workers_names_them_and_the_stage(store: Store, queue: Jobs) -> None:
    store.runs.insert(
        RunRow(
            id="r",
            job_id="j",
            name="r",
            created_at=datetime.now(UTC),
            model_name="m",
            model_sha256="0",
            model_bytes=1,
        )
    )
    queue.submit("run", "r", id="j")
    store.jobs.claim("host-1", EXPIRED)
    store.jobs.claim("host-2", EXPIRED)
    assert store.runs.start("r", 2) and store.runs.progress("r", 2, "drift", 0.5)
    (lost,) = queue.reap()
    assert lost.error is not None and lost.error["message"] == (
        "The worker (host-1, then host-2) was lost 2 times while it was busy with this run, the last time in "
        "the stage 'drift'."
    )
    assert lost == queue.get("j")


def test_a_job_that_is_no_runs_names_its_worker(store: Store, queue: Jobs) -> None:
    queue.submit("inspect", "m", max_attempts=1)
    store.jobs.claim("host-1", EXPIRED)
    (lost,) = queue.reap()
    assert lost.error is not None
    assert lost.error["message"] == "The worker (host-1) was lost while it was busy with this job."


def taken_code(job: JobRow) -> object:
    assert job.error is not None
    return job.error["code"]


def test_a_job_within_its_lease_is_not_reaped(queue: Jobs) -> None:
    id = queue.submit("run", "r", max_attempts=1).id
    queue.claim("w")
    assert queue.reap() == ()
    assert queue.get(id).state == "running"


def test_reaping_and_marking_the_run_happen_together_or_not_at_all(store: Store, queue: Jobs) -> None:
    id = queue.submit("run", "r", max_attempts=1).id
    store.runs.insert(
        RunRow(
            id="r", name="r", created_at=datetime.now(UTC), model_name="m", model_sha256="0", model_bytes=1
        )
    )
    store.jobs.claim("w", EXPIRED)
    with pytest.raises(RuntimeError), store.transaction():
        (lost,) = queue.reap()
        store.runs.mark_error(lost.subject, "lost")
        raise RuntimeError("the reaper dies here")
    assert queue.get(id).state == "running"
    assert [job.id for job in queue.reap()] == [id]


def test_a_queued_job_is_cancelled_at_once(queue: Jobs) -> None:
    id = queue.submit("run", "r").id
    cancelled = queue.cancel(id)
    assert (cancelled.state, cancelled.cancel_requested) == ("cancelled", True)
    assert cancelled.finished_at is not None
    assert queue.claim("w") is None


def test_the_holder_of_a_running_job_learns_that_it_is_to_stop(queue: Jobs) -> None:
    id = queue.submit("run", "r").id
    queue.claim("w")
    assert queue.cancel(id).state == "running"
    assert queue.extend(id, 1) == Lease(still_mine=True, cancel_requested=True)
    assert queue.cancelled(id, 1)
    assert queue.get(id).state == "cancelled"


def test_a_cancelled_job_whose_worker_died_is_not_started_again(store: Store, queue: Jobs) -> None:
    id = queue.submit("run", "r").id
    store.jobs.claim("w", EXPIRED)
    queue.cancel(id)
    assert queue.claim("w") is None
    (stopped,) = queue.reap()
    assert (stopped.id, stopped.state, stopped.error) == (id, "cancelled", None)


def test_cancelling_a_job_that_is_over_changes_nothing(queue: Jobs) -> None:
    id = queue.submit("run", "r").id
    queue.claim("w")
    queue.finish(id, 1)
    assert queue.cancel(id) == queue.get(id)
    assert queue.get(id).state == "done"


def test_an_unknown_job_is_not_found(queue: Jobs) -> None:
    with pytest.raises(NotFound):
        queue.get("nothing")
    with pytest.raises(NotFound):
        queue.cancel("nothing")


def test_a_failure_keeps_the_errors_code_message_and_hint(queue: Jobs) -> None:
    id = queue.submit("run", "r").id
    queue.claim("w")
    assert queue.fail(id, 1, ChildDied("It died.", hint="Give it memory."))
    assert queue.get(id).error == {"code": "child_died", "message": "It died.", "hint": "Give it memory."}


def test_jobs_are_counted_by_state(store: Store, queue: Jobs) -> None:
    for _ in range(3):
        queue.submit("run", "r")
    queue.claim("w")
    assert store.jobs.counts() == {"queued": 2, "running": 1, "done": 0, "failed": 0, "cancelled": 0}


CLAIMER = """
import json
from store.database import Database  # the parts of Store that start without pandas
from store.jobs import JobsRepository

def work(number, url):
    database = Database(url)
    jobs = JobsRepository(database)
    claimed = []
    while job := jobs.claim(f"worker-{number}", 60):
        claimed.append(job.id)
        assert jobs.progress(job.id, job.attempt, "rows", 0.5)
        assert jobs.finish(job.id, job.attempt, {"by": number})
    database.close()
    print(json.dumps(claimed))
"""


@pytest.mark.skipif(os.name == "nt", reason="needs fork")
def test_four_processes_claim_every_job_exactly_once(store: Store, url: str, tmp_path: Path) -> None:
    ids = [store.jobs.insert(f"job-{number}", "run", "r", {}).id for number in range(40)]
    answers = [json.loads(line) for line in in_processes(4, CLAIMER, url, cwd=tmp_path)]
    assert len(answers) == 4
    assert sorted(id for claimed in answers for id in claimed) == sorted(ids)
    assert {taken(store.jobs.get(id)).attempt for id in ids} == {1}
