"""Runs that were thrown away and can still be had back.

Promises: for a minute a discarded run is out of sight and whole; after it, it is gone with the files that no
other run uses. Leaves asking whether to the pages.
"""

from errors import Conflict, NotFound
from services import Services
from store.run_rows import OPEN_STATES, RunRow

__all__ = ["KEPT_S", "discard", "purge", "restore"]

KEPT_S = 60.0


def discard(services: Services, run_id: str) -> None:
    """Take a run out of every list. Errors: `NotFound`, `Conflict` while it is not over."""
    row = services.store.runs.get(run_id)
    if row is None:
        raise NotFound(f"There is no run {run_id!r}.", hint="It may have been deleted already.")
    if row.state in OPEN_STATES:
        raise Conflict(f"Run {run_id} is still {row.state}.", hint="Cancel it first.")
    purge(services)
    services.store.runs.discard(run_id)


def restore(services: Services, run_id: str) -> RunRow:
    """Bring a discarded run back; one that is there stays as it is. NotFound once it is gone for good."""
    services.store.runs.restore(run_id)
    row = services.store.runs.get(run_id)
    if row is None:
        raise NotFound(
            f"There is no run {run_id!r} to be restored.",
            hint="What is deleted on a page can be had back for a minute; over the API it is final.",
        )
    return row


def purge(services: Services) -> int:
    """Delete for good what was discarded more than a minute ago; how many files that removed."""
    files = 0
    for run_id in services.store.runs.discarded_before(KEPT_S):
        with services.store.transaction():
            for sha256 in services.store.runs.delete(run_id):
                services.artifacts.remove(sha256)
                files += 1
    return files
