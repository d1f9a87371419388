"""Fresh databases for tests, and processes that use one at the same moment.

SQLite always; PostgreSQL too where TEST_POSTGRESQL_URL names a server.
"""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from settings import PROJECT_ROOT

SERVER = os.environ.get("TEST_POSTGRESQL_URL", "")
KINDS = ("sqlite", "postgresql") if SERVER else ("sqlite",)


@contextmanager
def fresh_database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database; on PostgreSQL a schema of its own, dropped at the end."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'store.sqlite3'}"
        return
    schema = f"test_{uuid.uuid4().hex}"
    engine = sa.create_engine(SERVER)
    try:
        with engine.begin() as connection:
            connection.execute(sa.schema.CreateSchema(schema))
        yield f"{SERVER}{'&' if '?' in SERVER else '?'}options=-csearch_path%3D{schema}"
        with engine.begin() as connection:
            connection.execute(sa.schema.DropSchema(schema, cascade=True))
    finally:
        engine.dispose()


LAUNCHER = """
import io, os, sys, traceback
gate, opener = os.pipe()
children = []
for number in range(int(sys.argv[1])):
    child = os.fork()
    if child == 0:
        os.close(opener)
        os.read(gate, 1)  # ends for all of them at once, when the launcher closes its side
        sys.stdout = io.StringIO()  # written in one piece: lines of several processes do not mix
        try:
            work(number, *sys.argv[2:])
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os.write(1, sys.stdout.getvalue().encode())
        os._exit(0)
    children.append(child)
os.close(opener)
sys.exit(max([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]))
"""


def in_processes(count: int, work: str, *arguments: str, cwd: Path) -> list[str]:
    """What `count` processes print that run `work`, a script that defines work(number, *arguments).

    They are forked from one interpreter that has done the script's imports, so that they really
    start together. Fails with their tracebacks when one of them fails.
    """
    done = subprocess.run(
        [sys.executable, "-c", work + LAUNCHER, str(count), *arguments],
        capture_output=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT)},
        text=True,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout.splitlines()
