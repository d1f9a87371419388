"""The supervisor with small stand-in workers: started, restarted, replaced, stopped, gone with its parent."""

import itertools
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from records.restarts import Restarts
from settings import PROJECT_ROOT, Settings
from supervisor import Supervisor, worker_environment
from tests.support.waiting import gone, wait_until

SLEEPS = (sys.executable, "-c", "import time; time.sleep(600)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)",
)


LEASE_S = 1.5


def beating(mark: Path, then: str) -> tuple[str, ...]:
    """A stand-in that beats, says that it is busy with a run, leaves `mark`, and does what it is told."""
    code = f"""
        import ctypes, pathlib, re, time
        from execution.heartbeat import Heartbeat
        heartbeat = Heartbeat()
        heartbeat.start()
        heartbeat.tell(["run r-1"])
        pathlib.Path({str(mark)!r}).touch()
        {then}
    """
    return sys.executable, "-c", textwrap.dedent(code)


def supervised(command: tuple[str, ...], **options: float) -> Supervisor:
    defaults = {"lease_s": 600.0, "first_pause_s": 0.01}
    return Supervisor(os.environ, command=command, **{**defaults, **options})  # type: ignore[arg-type]


def test_the_worker_runs_from_start_to_stop() -> None:
    supervisor = supervised(SLEEPS)
    alive = [supervisor.alive]
    with supervisor:
        alive.append(supervisor.alive)
        pid = supervisor.pid
    alive.append(supervisor.alive)
    assert alive == [False, True, False]
    assert pid is not None
    assert not psutil.pid_exists(pid)


def test_a_killed_worker_is_started_again() -> None:
    with supervised(SLEEPS) as supervisor:
        first = supervisor.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: supervisor.restarts.total == 1 and supervisor.alive)
        assert supervisor.pid != first
        restarts = supervisor.restarts
        assert restarts.silent == 0
        assert restarts.last_reason == "It ended with code -9; it last held: unknown."


def test_a_worker_that_keeps_dying_is_restarted_with_growing_pauses(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    dies = (
        sys.executable,
        "-c",
        f"import time; open({str(starts)!r}, 'a').write(f'{{time.monotonic()}}\\n')",
    )
    with supervised(dies, first_pause_s=0.1) as supervisor:
        wait_until(lambda: supervisor.restarts.total >= 3)
    times = [float(line) for line in starts.read_text().split()][:3]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps[0] >= 0.1
    assert gaps[1] >= 0.2


def test_a_worker_that_is_stopped_is_replaced(tmp_path: Path) -> None:
    with supervised(beating(tmp_path / "busy", "time.sleep(600)"), lease_s=LEASE_S) as supervisor:
        wait_until((tmp_path / "busy").exists)
        first = supervisor.pid
        assert first is not None
        os.kill(first, signal.SIGSTOP)
        wait_until(lambda: supervisor.restarts.total == 1)
        assert gone(first) and supervisor.alive
        restarts = supervisor.restarts
        assert (restarts.silent, restarts.last_at is not None) == (1, True)
        assert restarts.last_reason == "It gave no sign of life for 1.5 s; it last held: run r-1."


SPINNING = {
    "in C": "ctypes.PyDLL(None).sleep(600)",  # PyDLL keeps the interpreter's lock, as most native code does
    "in a regular expression": "re.match('(a+)+b', 'a' * 64)",
}


@pytest.mark.parametrize("place", SPINNING)
def test_a_worker_that_spins_with_the_interpreters_lock_is_replaced(tmp_path: Path, place: str) -> None:
    with supervised(beating(tmp_path / "busy", SPINNING[place]), lease_s=LEASE_S) as supervisor:
        first = supervisor.pid
        wait_until(lambda: supervisor.restarts.silent == 1)
        assert first is not None and gone(first)
        assert "run r-1" in supervisor.restarts.last_reason


def test_a_worker_that_says_nothing_from_its_start_is_replaced() -> None:
    with supervised(SLEEPS, lease_s=LEASE_S) as supervisor:
        wait_until(lambda: supervisor.restarts.silent == 1)
        assert "it last held: unknown" in supervisor.restarts.last_reason


def test_the_children_of_a_worker_that_is_replaced_are_gone(tmp_path: Path) -> None:
    child = tmp_path / "child"
    forks = (
        "import subprocess, sys; "
        "c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
        f"pathlib.Path({str(child)!r}).write_text(str(c.pid)); ctypes.PyDLL(None).sleep(600)"
    )
    with supervised(beating(tmp_path / "busy", forks), lease_s=LEASE_S) as supervisor:
        wait_until(lambda: child.exists() and child.read_text())
        pid = int(child.read_text())
        assert not gone(pid)
        wait_until(lambda: supervisor.restarts.silent == 1)
        wait_until(lambda: gone(pid))


def test_a_worker_that_beats_stays_however_long_it_is_at_something(tmp_path: Path) -> None:
    done = tmp_path / "done"
    slow = f"time.sleep({3 * LEASE_S}); pathlib.Path({str(done)!r}).touch(); time.sleep(600)"
    with supervised(beating(tmp_path / "busy", slow), lease_s=LEASE_S) as supervisor:
        first = supervisor.pid
        wait_until(done.exists)
        assert (supervisor.pid, supervisor.restarts) == (first, Restarts())


def test_a_worker_that_dies_after_it_beat_is_started_again_as_one_that_died(tmp_path: Path) -> None:
    with supervised(beating(tmp_path / "busy", "raise SystemExit(3)"), lease_s=LEASE_S) as supervisor:
        wait_until(lambda: supervisor.restarts.total == 1)
        restarts = supervisor.restarts
        assert restarts.silent == 0
        assert restarts.last_reason == "It ended with code 3; it last held: run r-1."


def test_a_supervisor_that_is_stopped_while_it_replaces_a_worker_starts_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    supervisor = supervised(STUBBORN, lease_s=3.0)  # a second between asking and killing
    supervisor.start()
    pid = supervisor.pid
    wait_until(lambda: "is replaced" in caplog.text)
    supervisor.stop()
    assert pid is not None and gone(pid)
    assert not supervisor.alive and supervisor.restarts == Restarts()


def test_a_worker_that_ignores_the_request_is_killed() -> None:
    supervisor = supervised(STUBBORN, grace_s=0.3)
    supervisor.start()
    pid = supervisor.pid
    assert pid is not None
    wait_until(lambda: psutil.Process(pid).status() == psutil.STATUS_SLEEPING)
    supervisor.stop()
    assert not psutil.pid_exists(pid)


def test_a_stopped_supervisor_starts_nothing_any_more() -> None:
    supervisor = supervised(SLEEPS)
    supervisor.start()
    supervisor.stop()
    assert supervisor.restarts == Restarts()
    supervisor.stop()
    assert not supervisor.alive


def test_a_second_start_is_refused() -> None:
    with supervised(SLEEPS) as supervisor, pytest.raises(RuntimeError, match="already started"):
        supervisor.start()


def test_the_workers_input_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    """kill -9 of the web process runs no cleanup; the pipe's end is what remains."""
    mark = tmp_path / "input-ended"
    waits = f"import os, pathlib; os.read(0, 1); pathlib.Path({str(mark)!r}).touch()"
    parent = textwrap.dedent(f"""
        import os, sys, time
        from supervisor import Supervisor
        supervisor = Supervisor(os.environ, lease_s=600, command=(sys.executable, "-c", {waits!r}))
        supervisor.start()
        print("started", flush=True)
        time.sleep(600)
    """)
    with subprocess.Popen(
        [sys.executable, "-c", parent], cwd=PROJECT_ROOT, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert not mark.exists()
        process.kill()
    wait_until(mark.exists)


def test_the_worker_reads_the_settings_that_the_web_process_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = Settings(
        _env_file=None, data_dir=tmp_path, max_workers=3, psi_warn=0.15, cors_origins="http://a.b"
    )
    environment = worker_environment(ours)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert Settings(_env_file=None) == ours


def test_a_relative_data_dir_is_the_same_folder_for_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environment = worker_environment(Settings(_env_file=None, data_dir=Path("here")))
    assert environment["DATA_DIR"] == str(tmp_path.resolve() / "here")
