"""Removes what nobody will ask for again: uploads that were never run, runs thrown away, and jobs
long over.

Promises: a file of a run, and one uploaded within the last day, is never touched. Leaves when to tidy
to the worker.
"""

from dataclasses import dataclass

from registry.discarded import purge
from services import Services

__all__ = ["Tidied", "tidy"]

UPLOAD_KEPT_S = 24 * 3600.0  # a page left open overnight can still start its run
JOB_KEPT_S = 7 * 24 * 3600.0


@dataclass(frozen=True)
class Tidied:
    """How many files and jobs were removed."""

    files: int
    jobs: int


def tidy(services: Services) -> Tidied:
    """Remove unused files and the runs that were discarded, and forget old jobs."""
    files = purge(services)
    for sha256 in services.artifacts.stored_before(UPLOAD_KEPT_S):
        if services.store.runs.referenced(sha256):  # most are: asked without the write lock first
            continue
        # In one transaction: a run submitted in this moment either holds the file or finds it gone.
        with services.store.transaction():
            if not services.store.runs.referenced(sha256):
                services.artifacts.remove(sha256)
                files += 1
    services.artifacts.clean_up()
    return Tidied(files, services.jobs.prune(JOB_KEPT_S))
