"""The one shared state: runs and jobs in SQLite (a file) or PostgreSQL (`DATABASE_URL`).

Promises: the same behaviour on both, UTC and finite numbers out whatever went in. The tables are in
`store.tables`, the repositories in `store.runs` and `store.jobs`; only these modules know SQL.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from store.database import Database
from store.jobs import JobsRepository
from store.models import ModelsRepository
from store.runs import RunsRepository

__all__ = ["GLANCE_S", "Store"]

GLANCE_S = 0.01  # between one look at `Store.mark` and the next, for whoever waits


class Store:
    """The repositories over one database. Built once a process; threads may share it."""

    def __init__(self, url: str) -> None:
        """Connects at the first use. Unavailable for a URL that is neither SQLite nor PostgreSQL."""
        self._database = Database(url)
        self.runs = RunsRepository(self._database)
        self.jobs = JobsRepository(self._database)
        self.models = ModelsRepository(self._database)

    def migrate(self) -> None:
        """Bring the tables to this code's version; Unavailable when they are newer than the code."""
        self._database.migrate()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Calls of this thread inside the block become one transaction; an error undoes all of them.

        with store.transaction():
            store.runs.insert(row)
            store.jobs.insert(job_id, "run", row.id, {})
        """
        with self._database.writing():
            yield

    def mark(self) -> int | None:
        """A number that is another one after anybody, here or in another process, has written.

        Cheap enough to be asked for a hundred times a second; None where only reading again can tell.
        """
        return self._database.mark()

    def check_writable(self) -> None:
        """Unavailable when the database cannot be reached or written to."""
        with self._database.writing() as connection:
            connection.execute(sa.select(1))

    def close(self) -> None:
        self._database.close()
