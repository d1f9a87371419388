"""The lock: what a hostile file tries from inside does not happen, what models need still does.

Every attack runs twice, once by a bare `pickle.load` and once in the sandbox. Where the bare one does not
show at its witness, the machine refuses it by itself and the test is skipped: it would prove nothing.
"""

import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest

from errors import ChildDied, ChildTimeout, DashboardError, LockUnavailable, ModelError, ModelRefused
from lockdown import kernel, landlock, lock
from records.explanation import ExplainPlan
from sandbox.handle import open_model
from sandbox.zygote import Zygote
from settings import PROJECT_ROOT, Settings
from tests.support import models_for_tests as models
from tests.support.attacks import ATTACKS, Attack, save, scene
from tests.support.hostile_pickles import HOSTILE
from tests.support.structure import reachable
from tests.support.waiting import WAIT_S, gone, pid_of, wait_until

OFFER = lock.probe()
if not OFFER.full:
    pytest.skip(f"this machine cannot hold the lock: {OFFER}", allow_module_level=True)

BARE = "import pickle, sys; print(pickle.load(open(sys.argv[1], 'rb')).predict([0])[0])"
ABOUT_US = Path("/proc/self/status").read_text()
UNHELD = OFFER.root and "Seccomp:\t0" in ABOUT_US and "CapEff:\t000001ff" in ABOUT_US
"""Root outside of any container: every attack must be able to happen, and none may be skipped."""
IN_A_RERUN = "MODEL_DASHBOARD_TEST_RERUN"


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote(Settings(child_memory_mb=2048, model_policy="contained", _env_file=None)) as started:
        yield started


def bare(path: Path, *descriptors: int) -> str:
    """What the file's model says after a plain `pickle.load` in a process that nothing holds."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", BARE, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=WAIT_S,
        pass_fds=descriptors,
    )
    return done.stdout.strip()


def locked(zygote: Zygote, path: Path, layer: str = "seccomp") -> str:
    """What the file's model says after it was loaded in the sandbox, with the layer that is needed."""
    with open_model(zygote, path, name=path.name, deadline_s=60) as handle:
        assert {"Landlock", "seccomp"} <= set(handle.isolation)
        if layer not in handle.isolation:
            pytest.skip(f"this machine does not offer the layer: {layer}")
        found = handle.predict(models.numbers(1))
        assert found.labels is not None, found.errors
        return found.labels[0]


# What a hostile file tries -----------------------------------------------------------------------


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_happens_without_the_lock_and_not_with_it(
    zygote: Zygote, tmp_path: Path, attack: Attack
) -> None:
    with scene(tmp_path / "bare") as place:
        said = bare(save(attack, place, tmp_path / "bare.pkl"), place.inherited)
        if not attack.happened(place, said):
            assert not UNHELD or "Protocol not supported" in said, said
            pytest.skip(f"this machine refuses it without the lock: {said}")
    with scene(tmp_path / "locked") as place:
        said = locked(zygote, save(attack, place, tmp_path / "locked.pkl"), attack.layer)
        assert not attack.happened(place, said), said


@pytest.mark.parametrize("name", [name for name, hostile in HOSTILE.items() if hostile.fires])
def test_a_hostile_file_forced_past_the_scan_changes_nothing_under_the_lock(
    zygote: Zygote, tmp_path: Path, name: str
) -> None:
    """That each of them works where nothing holds it is shown in `tests/scan/test_pickles.py`."""
    folder = tmp_path / "outside"
    folder.mkdir()
    path = tmp_path / "m.pkl"
    path.write_bytes(HOSTILE[name].build(folder / "witness"))
    before = {file: file.read_bytes() for file in folder.iterdir()}
    with suppress(DashboardError), open_model(zygote, path, name=name, deadline_s=30) as handle:
        handle.predict(models.numbers(1))
    assert {file: file.read_bytes() for file in folder.iterdir()} == before
    assert zygote.pid is not None


RAW_CALLS = {
    "socket": (41, 198), "clone as fork": (56, 220), "unshare": (272, 97), "mount": (165, 40),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "keyctl": (250, 219),
    "io_uring_setup": (425, 425), "shmget": (29, 194), "msgget": (68, 186), "ptrace": (101, 117),
    "memfd_secret": (447, 447), "pidfd_getfd": (438, 438), "process_madvise": (440, 440),
    "setns": (308, 268), "personality": (135, 92), "swapon": (167, 224), "reboot": (169, 142),
    "init_module": (175, 105), "seccomp": (317, 277), "landlock_create_ruleset": (444, 444),
    "setresuid": (117, 147), "capset": (126, 91), "setpriority": (141, 140), "ioprio_set": (251, 30),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "setxattr": (188, 5),
    "fanotify_init": (300, 262), "inotify_init1": (294, 26), "mlockall": (151, 230),
    "execve": (59, 221), "execveat": (322, 281), "migrate_pages": (256, 238), "kcmp": (312, 272),
}  # fmt: skip
"""Numbers on x86-64 and aarch64; called with arguments that no kernel accepts, so nothing comes of them."""


def raw_calls(path: Path) -> Path:
    numbers = {name: pair[kernel.MACHINE == "aarch64"] for name, pair in RAW_CALLS.items()}
    source = f"""
import ctypes
c = ctypes.CDLL(None, use_errno=True)
said = {{}}
for name, number in {numbers!r}.items():
    result = c.syscall(number, *[ctypes.c_long(-1)] * 6)
    said[name] = ctypes.get_errno() if result < 0 else 0
class Model:
    def predict(self, x):
        return [' '.join(name.replace(' ', '_') for name in said if said[name] != {errno.EPERM})] * len(x)
model = Model()
"""
    return models.save_source(source, path)


def test_no_call_that_is_not_listed_reaches_the_kernel(zygote: Zygote, tmp_path: Path) -> None:
    path = raw_calls(tmp_path / "m.pkl")
    assert len(bare(path).split()) > 5  # looked at, and refused for other faults; a container refuses many
    assert locked(zygote, path) == ""


@pytest.mark.skipif(kernel.MACHINE != "x86_64", reason="x32 is x86-64's second calling convention")
def test_a_call_of_another_convention_ends_the_process(zygote: Zygote, tmp_path: Path) -> None:
    source = "import ctypes; ctypes.CDLL(None).syscall(0x40000000 + 39); model = 1"
    with (
        pytest.raises(ChildDied, match=r"stage load: killed by signal 31: it made a system call"),
        open_model(zygote, models.save_source(source, tmp_path / "m.pkl"), name="m", deadline_s=30),
    ):
        pass


@pytest.mark.parametrize("wants", ["open('/etc/passwd')", "os.fork()", "open('/tmp/x', 'w')"])
def test_a_file_that_wants_what_it_may_not_is_refused_in_those_words(
    zygote: Zygote, tmp_path: Path, wants: str
) -> None:
    path = models.save_source(f"import os\n{wants}\nmodel = 1", tmp_path / "m.pkl")
    with (
        pytest.raises(ModelRefused, match=r"may not do.*not permitted|may not do.*denied") as caught,
        open_model(zygote, path, name="m", deadline_s=30),
    ):
        pass
    assert "docs/security.md" in caught.value.hint


FOREVER = {
    "spinning": "while True: pass",
    "sleeping": "import time\nwhile True: time.sleep(600)",
    "spinning with every signal ignored": "import signal\n"
    "for s in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}: signal.signal(s, signal.SIG_IGN)\n"
    "while True: pass",
}


@pytest.mark.parametrize("body", FOREVER.values(), ids=FOREVER)
def test_a_file_that_never_ends_is_ended(zygote: Zygote, tmp_path: Path, body: str) -> None:
    path = models.save_source(f"print('begun', flush=True)\n{body}\nmodel = 1", tmp_path / "m.pkl")
    without = subprocess.Popen([sys.executable, "-I", "-c", BARE, str(path)], stdout=subprocess.PIPE)
    assert without.stdout is not None
    with without, pytest.raises(ChildTimeout, match="stage load"):
        assert without.stdout.readline() == b"begun\n"
        try:
            with open_model(zygote, path, name="m", deadline_s=1):
                pass
        finally:
            assert without.poll() is None  # outlived the one in the sandbox, which began later
            without.kill()


def test_processor_time_is_held_even_if_the_worker_sleeps(tmp_path: Path) -> None:
    """The one limit that needs no clock of ours, with the soft limit's signal ignored."""
    code = (
        f"import sys, os, signal; sys.path.insert(0, {str(PROJECT_ROOT)!r}); from lockdown import lock\n"
        "signal.signal(signal.SIGXCPU, signal.SIG_IGN)\n"
        "lock.lock((), parent=os.getppid(), memory_mb=2048, cpu_s=0.1, threads=1)\n"
        "while True: pass"
    )
    done = subprocess.run([sys.executable, "-c", code], timeout=WAIT_S, check=False)
    assert done.returncode == -signal.SIGKILL


# What models need --------------------------------------------------------------------------------


def fitted(build: Callable[[], Any]) -> Any:
    frame = models.numbers()
    return build().fit(frame, np.where(models.positive(frame), "yes", "no"))


def forest() -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return fitted(lambda: RandomForestClassifier(20, n_jobs=-1, random_state=0))


def histogram_boosting() -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return fitted(lambda: HistGradientBoostingClassifier(max_iter=10))


def bagging() -> Any:
    from sklearn.ensemble import BaggingClassifier

    return fitted(lambda: BaggingClassifier(n_estimators=4, random_state=0)).set_params(n_jobs=-1)


def support_vectors() -> Any:
    from sklearn.svm import SVC

    return fitted(SVC)


def neighbours() -> Any:
    from sklearn.neighbors import KNeighborsClassifier

    return fitted(lambda: KNeighborsClassifier(n_jobs=-1))


def brute_neighbours() -> Any:
    from sklearn.neighbors import KNeighborsClassifier

    return fitted(lambda: KNeighborsClassifier(algorithm="brute"))


def network() -> Any:
    from sklearn.neural_network import MLPClassifier

    return fitted(lambda: MLPClassifier((8,), max_iter=1000, tol=0.01, random_state=0))


def gaussian_process() -> Any:
    from sklearn.gaussian_process import GaussianProcessClassifier

    return fitted(GaussianProcessClassifier)


def threaded_xgboost() -> Any:
    return models.xgboost_classifier().set_params(n_jobs=2)


def threaded_lightgbm() -> Any:
    return models.lightgbm_classifier().set_params(n_jobs=2)


WORKLOADS: dict[str, tuple[Callable[[], Any], Callable[[int, int], pd.DataFrame]]] = {
    "forest": (forest, models.numbers),
    "histogram boosting": (histogram_boosting, models.numbers),
    "bagging": (bagging, models.numbers),
    "XGBoost": (threaded_xgboost, models.numbers),
    "LightGBM": (threaded_lightgbm, models.numbers),
    "logistic": (models.logistic, models.numbers),
    "support vectors": (support_vectors, models.numbers),
    "neighbours": (neighbours, models.numbers),
    "brute neighbours": (brute_neighbours, models.numbers),
    "network": (network, models.numbers),
    "gaussian process": (gaussian_process, models.numbers),
    "pipeline": (models.forest_pipeline, models.mixed),
}


@pytest.mark.parametrize(("build", "frame"), WORKLOADS.values(), ids=WORKLOADS)
def test_a_model_predicts_and_is_explained_under_the_lock(
    zygote: Zygote, tmp_path: Path, build: Callable[[], Any], frame: Callable[[int, int], pd.DataFrame]
) -> None:
    model, rows = build(), frame(300, 1)
    path = models.save(model, tmp_path / "m.pkl")
    with open_model(zygote, path, name="m.pkl", deadline_s=60) as handle:
        assert {"Landlock", "seccomp"} <= set(handle.isolation)
        found = handle.predict(rows)
        explained = handle.explain(rows.head(8), rows.head(50), ExplainPlan(), 0)
    assert not found.errors and found.labels is not None
    with joblib.parallel_config("threading"):
        expected = [str(value) for value in model.predict(rows)]
    assert [found.labels[int(code)] for code in found.values] == expected
    total = explained.values.sum(axis=1) + explained.base
    np.testing.assert_allclose(total, explained.explained, atol=1e-4)


@pytest.mark.parametrize("compress", [("zlib", 3), ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3)])
def test_compressed_files_are_read_under_the_lock(
    zygote: Zygote, tmp_path: Path, compress: tuple[str, int]
) -> None:
    path = models.save(models.logistic(), tmp_path / "m.pkl", compress=compress)
    assert locked(zygote, path) in ("yes", "no")


NEEDED = {
    "mapping the model's own file": "import mmap\nsaid = mmap.mmap(5, 0, access=mmap.ACCESS_READ)[:1].hex()",
    "compiling with numba": "import numba\nsaid = str(numba.njit(lambda a: a + 79)(49))",
    "a pool of threads": "from joblib import Parallel, delayed\n"
    "said = str(sum(Parallel(n_jobs=4, prefer='threads')(delayed(int)(32) for _ in range(4))))",
    "thread pools, if /proc is refused": "import builtins, numpy as np\nreal = open\n"
    "def refuse(path, *a, **k):\n    if 'proc' in str(path): raise PermissionError(path)\n"
    "    return real(path, *a, **k)\nbuiltins.open = refuse\n"
    "from sklearn.neighbors import KNeighborsClassifier\nx = np.eye(4)\n"
    "said = str(KNeighborsClassifier(1, algorithm='brute').fit(x, [0, 1, 2, 128]).predict(x)[3])",
    "random numbers": "import secrets, numpy as np\nnp.random.default_rng(secrets.randbits(9))\nsaid = '128'",
    "time zones": "import pandas as pd\nsaid = str(pd.Timestamp('2024-07-01', tz='Europe/Rome').hour + 128)",
    "standard modules not imported yet": "import wave, sqlite3, xml.dom.minidom, unittest.mock\nsaid = '128'",
    "library modules not imported yet": "import sklearn.gaussian_process, scipy.signal\nsaid = '128'",
    "the null device": "said = str(len(open('/dev/null').read()) + 128)",
}  # fmt: skip


@pytest.mark.parametrize("body", NEEDED.values(), ids=NEEDED)
def test_a_model_may(zygote: Zygote, tmp_path: Path, body: str) -> None:
    source = f"{body}\nclass Model:\n    def predict(self, x): return [said] * len(x)\nmodel = Model()"
    assert locked(zygote, models.save_source(source, tmp_path / "m.pkl")) in ("128", "80")


def test_every_module_of_the_house_that_the_child_needs_is_imported_before_the_lock(
    zygote: Zygote, tmp_path: Path
) -> None:
    """Nothing of ours can be read afterwards: `.env` and the data may lie beside the modules."""
    needed = reachable("model_process.zygote")
    source = f"""
import sys
said = ' '.join(sorted({needed!r} - set(sys.modules))) or 'nothing'
class Model:
    def predict(self, x): return [said] * len(x)
model = Model()"""
    assert locked(zygote, models.save_source(source, tmp_path / "m.pkl")) == "nothing"
    assert len(needed) > 10


# Refusing to go on without it --------------------------------------------------------------------

MAIMED = """
import importlib.util, sys
sys.path[0] = {root!r}
del sys.modules['model_process']
import model_process  # the real one: this house has nothing but this file
from lockdown import landlock, seccomp
landlock.abi = lambda: None
seccomp.available = lambda: False
spec = importlib.util.spec_from_file_location('real', {root!r} + '/model_process/zygote.py')
real = importlib.util.module_from_spec(spec)
sys.modules['real'] = real
spec.loader.exec_module(real)
zygote_main = real.zygote_main
"""


def test_without_the_filters_no_model_is_read_unless_the_policy_is_unsafe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = tmp_path / "house"
    (house / "model_process").mkdir(parents=True)
    (house / "model_process" / "zygote.py").write_text(MAIMED.format(root=str(PROJECT_ROOT)))
    monkeypatch.setattr("sandbox.zygote.PROJECT_ROOT", house)
    attack = next(a for a in ATTACKS if a.name == "creating a file")
    with Zygote(Settings(model_policy="contained", _env_file=None)) as maimed:
        with scene(tmp_path / "contained") as place:
            path = save(attack, place, tmp_path / "m.pkl")
            with pytest.raises(LockUnavailable) as caught:
                locked(maimed, path)
            assert not attack.happened(place, "")
        assert "Landlock and seccomp" in caught.value.message
        assert "MODEL_POLICY=unsafe" in caught.value.hint
        monkeypatch.setattr(maimed, "settings", Settings(model_policy="unsafe", _env_file=None))
        with scene(tmp_path / "unsafe") as place:
            path = save(attack, place, tmp_path / "m.pkl")
            with open_model(maimed, path, name="m", deadline_s=60) as handle:
                assert not {"Landlock", "seccomp"} & set(handle.isolation)
                assert {"memory limit", "no new privileges"} <= set(handle.isolation)
            assert attack.happened(place, "")


def test_a_process_with_threads_is_not_locked() -> None:
    code = (
        f"import sys, os, threading; sys.path.insert(0, {str(PROJECT_ROOT)!r}); from lockdown import lock\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "try: lock.lock((), parent=os.getppid(), memory_mb=2048, cpu_s=9, threads=1)\n"
        "except lock.LockUnavailable as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "has 2 threads" in done.stdout


def test_a_model_that_claims_the_lock_is_missing_is_only_a_bad_model(zygote: Zygote, tmp_path: Path) -> None:
    source = f"import sys; sys.path.insert(0, {str(PROJECT_ROOT)!r})\n"
    source += "from errors import LockUnavailable\nraise LockUnavailable('trust me', hint='be unsafe')"
    path = models.save_source(source, tmp_path / "m.pkl")
    with (
        pytest.raises(ModelError, match="trust me"),
        open_model(zygote, path, name="m", deadline_s=9),
    ):
        pass


def test_the_probe_says_what_this_machine_has_and_changes_nothing() -> None:
    before = Path("/proc/self/status").read_text()
    offer = lock.probe()
    assert offer == OFFER and offer.full
    assert offer.landlock == landlock.abi() and offer.seccomp and offer.platform == "linux"
    assert {"Landlock", "seccomp"} <= set(lock.layers())
    for line in ("NoNewPrivs", "Seccomp:", "Threads"):
        assert [x for x in before.splitlines() if x.startswith(line)] == [
            x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith(line)
        ]


def test_a_machine_without_either_filter_is_not_full() -> None:

    def offer(landlock: int | None, seccomp: bool) -> lock.Offer:
        return lock.Offer("linux", "x86_64", root=False, landlock=landlock, seccomp=seccomp)

    assert offer(1, True).full
    assert not offer(None, True).full
    assert not offer(7, False).full


def test_a_locked_process_dies_with_its_parent(zygote: Zygote, tmp_path: Path) -> None:
    """By the kernel: its pipes are open, and it waits for a request that never comes."""
    path = models.save(models.logistic(), tmp_path / "m.pkl")
    with open_model(zygote, path, name="m", deadline_s=60) as handle:
        child, parent = pid_of(handle), zygote.pid
        assert parent is not None and not gone(child)
        os.kill(parent, signal.SIGKILL)
        wait_until(lambda: gone(child))


LOCKED_WITHOUT_A_SCORE = """
import os, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from lockdown import lock
lock.OOM_SCORE = Path({score!r})
told = os.dup(1)
applied = lock.lock((told,), parent=os.getppid(), memory_mb=2048, cpu_s=9, threads=1)
os.write(told, repr(applied).encode())
"""


def test_the_kernel_takes_a_model_first_when_memory_ends(zygote: Zygote, tmp_path: Path) -> None:
    path = models.save(models.logistic(), tmp_path / "m.pkl")
    with open_model(zygote, path, name="m", deadline_s=60) as handle:
        score = Path(f"/proc/{pid_of(handle)}/oom_score_adj").read_text()
        assert int(score) == 1000
        assert lock.FIRST in handle.isolation and lock.FIRST in lock.layers()
    assert int(Path("/proc/self/oom_score_adj").read_text()) < 1000
    assert int(Path(f"/proc/{zygote.pid}/oom_score_adj").read_text()) < 1000


@pytest.mark.parametrize("score", ["/proc/self/no_such_file", "/proc/self/oom_score_adj"])
def test_a_machine_where_the_score_cannot_be_set_still_locks(score: str) -> None:
    code = LOCKED_WITHOUT_A_SCORE.format(root=str(PROJECT_ROOT), score=score)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (lock.FIRST in done.stdout) is score.endswith("score_adj")
    assert "seccomp" in done.stdout


# The same as somebody else -----------------------------------------------------------------------


@pytest.mark.skipif(not OFFER.root or IN_A_RERUN in os.environ, reason="is the rerun, or needs root for one")
def test_attacks_and_workloads_come_out_the_same_for_an_ordinary_user() -> None:
    """This file again as nobody, who may read everything here, so that the interpreter is found."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("needs setpriv, of util-linux")
    folder = Path(tempfile.mkdtemp())
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    try:
        os.chown(folder, 65534, 65534)
        reading = "+dac_read_search"
        done = subprocess.run(
            [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups", f"--inh-caps={reading}",
             f"--ambient-caps={reading}", sys.executable, "-B", "-m", "pytest", "-q", "-rs",
             "-p", "no:cacheprovider", f"--basetemp={folder}/base", __file__,
             "-k", "attack_happens or explained or listed or parent or memory_ends"],
            cwd=PROJECT_ROOT, env=ours | {IN_A_RERUN: "1", "HOME": "/"}, capture_output=True, text=True,
            timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    finally:
        shutil.rmtree(folder)
