"""The supervisor with small stand-in workers: started, restarted, stopped, and gone with its parent."""

import itertools
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from settings import PROJECT_ROOT, Settings
from supervisor import Supervisor, worker_environment
from tests.support.waiting import wait_until

SLEEPS = (sys.executable, "-c", "import time; time.sleep(600)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)",
)


def supervised(command: tuple[str, ...], **options: float) -> Supervisor:
    return Supervisor(os.environ, command=command, **{"first_pause_s": 0.01, **options})  # type: ignore[arg-type]


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
        wait_until(lambda: supervisor.restarts == 1 and supervisor.alive)
        assert supervisor.pid != first


def test_a_worker_that_keeps_dying_is_restarted_with_growing_pauses(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    dies = (
        sys.executable,
        "-c",
        f"import time; open({str(starts)!r}, 'a').write(f'{{time.monotonic()}}\\n')",
    )
    with supervised(dies, first_pause_s=0.1) as supervisor:
        wait_until(lambda: supervisor.restarts >= 3)
    times = [float(line) for line in starts.read_text().split()][:3]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps[0] >= 0.1
    assert gaps[1] >= 0.2


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
    assert supervisor.restarts == 0
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
        supervisor = Supervisor(os.environ, command=(sys.executable, "-c", {waits!r}))
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
