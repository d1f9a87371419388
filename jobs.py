"""The queue: submit a job, claim it, hold it by a lease, finish it once.

Promises: ids are unguessable, leases last as long as the settings say, and only the attempt that holds
a job can write to it. Leaves the SQL to the store and the work to whoever claims.
"""

import uuid
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from errors import DashboardError, NotFound
from settings import Settings
from storage import Store
from store.jobs import KINDS, JobKind, JobRow, Lease

__all__ = ["Jobs"]


class Jobs:
    """The queue over one store. `attempt` is the `JobRow.attempt` that `claim` returned."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._jobs = store.jobs
        self._lease_s = settings.lease_s

    def submit(
        self,
        kind: JobKind,
        subject: str,
        payload: Mapping[str, Any] | None = None,
        priority: int = 0,
        max_attempts: int = 2,
        *,
        id: str | None = None,
    ) -> JobRow:
        """Queue a job about `subject` (a run's id, a model's sha256, an example's name); higher priority
        is claimed first. `id` for a caller that had to write the job's id down before, as `new_id`."""
        return self._jobs.insert(
            id or self.new_id(), kind, subject, payload or {}, priority=priority, max_attempts=max_attempts
        )

    @staticmethod
    def new_id() -> str:
        return uuid.uuid4().hex

    def get(self, id: str) -> JobRow:
        """NotFound for an unknown id."""
        job = self._jobs.get(id)
        if job is None:
            raise NotFound(f"There is no job {id}.", hint="It may have been deleted with its run.")
        return job

    def waiting(self, *kinds: JobKind) -> int:
        """How many jobs of these kinds, or of all, wait for a worker."""
        return (self._jobs.counts(kinds) if kinds else self._jobs.counts())["queued"]

    def is_stalled(self) -> bool:
        """Whether work has waited for a whole lease while no worker gave a sign of life."""
        return self._jobs.is_stalled(self._lease_s)

    def claim(self, worker: str, kinds: Collection[JobKind] = KINDS) -> JobRow | None:
        """The most urgent job, now held by `worker` for one lease; None when there is nothing to do."""
        return self._jobs.claim(worker, self._lease_s, kinds)

    def extend(self, id: str, attempt: int) -> Lease:
        """Hold the job for one more lease, and learn whether to stop. Call it well within `lease_s`."""
        return self._jobs.extend(id, attempt, self._lease_s)

    def progress(self, id: str, attempt: int, stage: str, fraction: float) -> bool:
        """True, as for all that follow, only when the job was still this attempt's."""
        return self._jobs.progress(id, attempt, stage, fraction)

    def finish(self, id: str, attempt: int, result: Mapping[str, Any] | None = None) -> bool:
        return self._jobs.finish(id, attempt, result)

    def fail(self, id: str, attempt: int, error: DashboardError | Mapping[str, Any]) -> bool:
        """`error` as raised, or its keys code, message and hint; with choices where it has any."""
        if isinstance(error, DashboardError):
            choices = {"choices": list(error.choices)} if error.choices else {}
            error = {"code": error.code, "message": error.message, "hint": error.hint} | choices
        return self._jobs.fail(id, attempt, error)

    def cancelled(self, id: str, attempt: int) -> bool:
        """The holder has stopped, as it was asked to."""
        return self._jobs.cancelled(id, attempt)

    def cancel(self, id: str) -> JobRow:
        """Ask for a job to be cancelled; a queued one is cancelled in the answer. NotFound if unknown."""
        return self._jobs.request_cancel(id)

    def prune(self, older_than_s: float) -> int:
        """Forget the jobs that were over that long ago; runs keep their own state. How many those were."""
        return self._jobs.prune(datetime.now(UTC) - timedelta(seconds=older_than_s))

    def reap(self) -> tuple[JobRow, ...]:
        """Settle the jobs of workers that fell silent; those that failed or were cancelled for good."""
        return self._jobs.reap()
