"""What nobody will ask for again goes; what a run needs stays, however old."""

import io
import os
import time
from datetime import UTC, datetime, timedelta

import pytest

import runs
from errors import NotFound
from execution import housekeeping
from execution.housekeeping import Tidied, tidy
from runs import Upload, store_upload
from services import Services

DAYS = 24 * 3600


def uploaded(services: Services, content: bytes, days_ago: float = 0.0) -> Upload:
    upload = store_upload(services, io.BytesIO(content), "model.pkl")
    then = time.time() - days_ago * DAYS
    os.utime(services.artifacts.path(upload.sha256), (then, then))
    return upload


def stored(services: Services, upload: Upload) -> bool:
    try:
        return services.artifacts.path(upload.sha256).is_file()
    except NotFound:
        return False


def test_an_upload_that_was_never_run_goes_after_a_day(services: Services) -> None:
    old, new = uploaded(services, b"old", days_ago=2), uploaded(services, b"new")
    assert tidy(services) == Tidied(files=1, jobs=0)
    assert (stored(services, old), stored(services, new)) == (False, True)
    with pytest.raises(NotFound, match="not stored"):
        runs.submit(services, model=old)


def test_the_file_of_a_run_or_of_a_waiting_job_stays(services: Services) -> None:
    run, waiting = uploaded(services, b"run", days_ago=400), uploaded(services, b"waiting", days_ago=400)
    runs.submit(services, model=run)
    runs.request_inspection(services, waiting)
    assert tidy(services).files == 0
    assert stored(services, run) and stored(services, waiting)


def test_a_file_uploaded_again_counts_from_then(services: Services) -> None:
    uploaded(services, b"same", days_ago=3)
    again = store_upload(services, io.BytesIO(b"same"), "model.pkl")
    assert tidy(services).files == 0
    assert stored(services, again)


def test_jobs_long_over_are_forgotten_and_open_ones_are_not(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, queued = (services.jobs.submit("example", "wine") for _ in range(2))
    job = services.jobs.claim("by hand")
    assert job is not None and job.id == done.id
    services.jobs.finish(job.id, job.attempt, {})
    assert tidy(services).jobs == 0
    monkeypatch.setattr(housekeeping, "JOB_KEPT_S", -timedelta(minutes=1).total_seconds())
    assert tidy(services).jobs == 1
    assert services.jobs.get(queued.id).state == "queued"
    assert services.jobs.get(queued.id).created_at <= datetime.now(UTC)
    with pytest.raises(NotFound):
        services.jobs.get(done.id)
