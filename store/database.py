"""One connection policy for SQLite and PostgreSQL: transactions, and migrations under one lock.

Promises: a writing transaction holds the write lock from its first statement (SQLite), a reading one
takes none, and calls inside `writing()` on one thread share one transaction. Leaves SQL to the
repositories.
"""

import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from errors import Unavailable
from settings import PROJECT_ROOT

__all__ = ["NEWEST", "Database"]

BUSY_TIMEOUT_MS = 30_000
NEWEST = "0004"  # the last file in migrations/versions
PRIVATE = 0o600  # reports tell of models and of samples' values
MIGRATION_LOCK = 0x6D6D64  # any number, the same for every process of this project
READ_ONLY = "storage_read_only"
DATABASE_HINT = "Check DATABASE_URL, that the database runs, and that its folder is writable and not full."


class Database:
    """An engine with the house's rules. One a process; threads may share it."""

    def __init__(self, url: str) -> None:
        try:
            parsed = sa.make_url(url)
        except ArgumentError as error:
            raise Unavailable("The database's URL cannot be read.", hint=DATABASE_HINT) from error
        self.dialect = parsed.get_backend_name()
        if self.dialect not in {"sqlite", "postgresql"}:
            raise Unavailable(
                f"The database {self.dialect!r} is not supported.", hint="Use a sqlite or postgresql URL."
            )
        self._engine = sa.create_engine(parsed, pool_pre_ping=self.dialect == "postgresql")
        if self.dialect == "sqlite":
            if parsed.database in {None, "", ":memory:"}:
                raise Unavailable(
                    "A SQLite database in memory cannot be shared between processes.",
                    hint="Name a file: sqlite:////absolute/path.sqlite3",
                )
            sa.event.listen(self._engine, "connect", _prepare_sqlite)
            sa.event.listen(self._engine, "begin", _begin_sqlite)
        self._reader = self._engine.execution_options(**{READ_ONLY: True})
        self._local = threading.local()
        self._watching = threading.Lock()
        self._watch: sa.PoolProxiedConnection | None = None

    def mark(self) -> int | None:
        """A number that is another one after anybody has written, in microseconds and without a lock.

        None where the database does not tell (PostgreSQL) or does not answer: then ask for the rows again.
        """
        if self.dialect != "sqlite":
            return None
        with self._watching:
            try:
                # A connection of its own that never writes: SQLite counts what the others commit.
                self._watch = self._watch or self._engine.raw_connection()
                return int(self._watch.cursor().execute("PRAGMA data_version").fetchone()[0])
            except (sqlite3.Error, sa.exc.SQLAlchemyError):
                self._watch = None
                return None

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that may write; joins the one this thread is in. An error rolls all of it back."""
        current: sa.Connection | None = getattr(self._local, "connection", None)
        if current is not None:
            yield current
            return
        with _answering(), self._engine.begin() as connection:
            self._local.connection = connection
            try:
                yield connection
            finally:
                self._local.connection = None

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """One consistent view without the write lock; inside `writing()` it sees what was written there."""
        current: sa.Connection | None = getattr(self._local, "connection", None)
        if current is not None:
            yield current
            return
        with _answering(), self._reader.begin() as connection:
            yield connection

    def migrate(self) -> None:
        """Bring the tables to this code's version; simultaneous starts wait for each other.

        Unavailable when a newer version of the code has already migrated the database. A SQLite database
        becomes, and stays, readable by this user alone.
        """
        if self.dialect == "sqlite" and "uri" not in self._engine.url.query:  # a URI is no path
            _keep_private(Path(self._engine.url.database or ""))
        if self._version() == NEWEST:
            return
        # Imported here: it takes a tenth of a start, and is needed once a version.
        from alembic import command
        from alembic.config import Config
        from alembic.runtime.migration import MigrationContext
        from alembic.script import ScriptDirectory

        config = Config()
        # ConfigParser reads % as interpolation, and a folder's name may hold one.
        config.set_main_option("script_location", str(PROJECT_ROOT / "migrations").replace("%", "%%"))
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        with self.writing() as connection:
            if self.dialect == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
            newer = set(MigrationContext.configure(connection).get_current_heads()) - known
            if newer:
                raise Unavailable(
                    f"The database is at version {', '.join(sorted(newer))}, unknown to this program.",
                    hint="Start the newer version of the program that made it, or restore an older backup.",
                )
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _version(self) -> str | None:
        """The version that the database says it is at; None for one that was never migrated."""
        with self.reading() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars().all()
        return found[0] if len(found) == 1 else None

    def close(self) -> None:
        with self._watching:
            if self._watch is not None:
                self._watch.close()
                self._watch = None
        self._engine.dispose()


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable(
            "All connections to the database are busy.", hint="Try again in a moment."
        ) from error
    except (OperationalError, InterfaceError) as error:
        raise Unavailable(
            f"The database does not answer: {str(error.orig).strip()}", hint=DATABASE_HINT
        ) from error


def _keep_private(path: Path) -> None:
    """Others may neither read nor write the file, nor what SQLite puts beside it with the same rights."""
    # Made here, for SQLite would give it the umask's rights. Never opened once it is there: closing it
    # again would free the locks that this process holds on it.
    with suppress(OSError):  # it is there, or its folder is not, which SQLite is going to tell
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE))
    for each in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        with suppress(OSError):  # not there, or another user's
            if (mode := stat.S_IMODE(each.stat().st_mode)) & ~PRIVATE:
                each.chmod(mode & PRIVATE)


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # we begin transactions ourselves, see _begin_sqlite
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    _use_write_ahead_log(connection)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    # SQLite does not apply busy_timeout to the switch itself, so the first starts would race here.
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _begin_sqlite(connection: sa.Connection) -> None:
    # A plain BEGIN upgrades its lock at the first write, which fails at once, in spite of busy_timeout,
    # whenever another writer came between.
    read_only = connection.get_execution_options().get(READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
