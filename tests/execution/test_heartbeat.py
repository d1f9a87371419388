"""The worker's sign of life: there before the imports, in nobody's way, and nothing without a supervisor."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from settings import PROJECT_ROOT
from tests.support.waiting import WAIT_S, wait_until

BEATS = "from execution.heartbeat import Heartbeat; heart = Heartbeat(); heart.start()"


@contextmanager
def with_line(
    *command: str, cwd: Path = PROJECT_ROOT
) -> Iterator[tuple[socket.socket, subprocess.Popen[bytes]]]:
    """A process whose standard input is the other end of the socket."""
    ours, theirs = socket.socketpair()
    environment = os.environ | {"PYTHONPATH": str(PROJECT_ROOT)}
    with ours, theirs, subprocess.Popen(command, cwd=cwd, env=environment, stdin=theirs.fileno()) as process:
        theirs.close()
        ours.settimeout(WAIT_S)
        try:
            yield ours, process
        finally:
            process.kill()


def test_the_worker_beats_while_its_imports_still_run(tmp_path: Path) -> None:
    """An import that never ends stands for a cold disk; the folder comes first on the worker's path."""
    (tmp_path / "example_models.py").write_text("import time; time.sleep(600)")
    with with_line(sys.executable, "-m", "worker", "--with-parent", cwd=tmp_path) as (line, _):
        assert b"".join(line.recv(1) for _ in range(3)) == b"\n\n\n"


def test_what_the_worker_holds_is_told_at_once_and_with_every_beat() -> None:
    tells = f"{BEATS}; heart.tell(['run r-1', 'inspect m']); import time; time.sleep(600)"
    with with_line(sys.executable, "-c", tells) as (line, _), line.makefile() as told:
        lines = [told.readline() for _ in range(5)]
    assert set(lines[2:]) == {"run r-1, inspect m\n"}


def test_a_supervisor_that_does_not_read_holds_nobody_up(tmp_path: Path) -> None:
    done = tmp_path / "done"
    much = f"[heart.tell(['x' * 1000]) for _ in range(10_000)]; open({str(done)!r}, 'w').close()"
    with with_line(sys.executable, "-c", f"{BEATS}; {much}; import time; time.sleep(600)"):
        wait_until(done.exists)


def test_the_worker_ends_with_its_parent_even_when_that_left_a_beat_unread(tmp_path: Path) -> None:
    """The kernel then tells of a reset, not of an end."""
    stopped = tmp_path / "stopped"
    stops = f"SimpleNamespace(stop=lambda: open({str(stopped)!r}, 'w').close())"
    waits = f"from types import SimpleNamespace; import worker; worker._stop_with_parent({stops})"
    with with_line(sys.executable, "-c", f"{BEATS}; {waits}") as (line, process):
        assert line.recv(1, socket.MSG_PEEK)
        line.close()
        assert process.wait(120) == 0
    assert stopped.exists()


def test_without_a_supervisor_nobody_is_told_anything() -> None:
    counts = f"{BEATS}; heart.tell(['run r-1']); import threading; print(threading.active_count())"
    for stdin in (subprocess.DEVNULL, subprocess.PIPE):
        done = subprocess.run(
            [sys.executable, "-c", counts], cwd=PROJECT_ROOT, stdin=stdin, capture_output=True, check=True
        )
        assert (done.stdout, done.stderr) == (b"1\n", b"")
