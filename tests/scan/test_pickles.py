"""The scan and the restricted unpickler: hostile files refused by either alone, fitted models by neither."""

import io
import json
import pickle
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import sklearn._loss.link
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from errors import DashboardError, MissingLibrary, ModelRefused, NotAModel
from estimators.loading import load
from estimators.unpickler import load_restricted
from records.model import ScanReport
from scan.allow_list import DENIED, LIST_FILE, allowed, lookup
from scan.pickles import scan_pickle
from scan.policy import check_allowed
from scan.symbols import STUB
from scripts import allow_list
from tests.support import model_corpus
from tests.support import models_for_tests as models
from tests.support.hostile_pickles import HOSTILE
from upgrades.stand_ins import Inert

# Hostile files ------------------------------------------------------------------------------------

BARE = """
import json, os, pickle, sys, warnings
import joblib, sklearn.dummy
warnings.simplefilter("ignore")
for path, loader, after, witness in json.load(sys.stdin):
    if os.fork() == 0:
        try:
            with open(path, "rb") as file:
                (joblib if loader == "joblib" else pickle).load(file)
                exec(after)
        finally:
            os._exit(0)
    os.wait()
"""


@pytest.fixture(scope="module")
def fired(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the files that work when loaded bare, in a process of their own."""
    folder = tmp_path_factory.mktemp("bare")
    jobs, witnesses = [], {}
    for number, (name, hostile) in enumerate(HOSTILE.items()):
        if hostile.fires:
            path, witness = folder / f"{number}.pkl", folder / f"{number}.witness"
            path.write_bytes(hostile.build(witness))
            jobs.append([str(path), hostile.loader, hostile.after, str(witness)])
            witnesses[name] = witness
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BARE],
        input=json.dumps(jobs), text=True, check=True, timeout=120, capture_output=True,
    )  # fmt: skip
    return {name for name, witness in witnesses.items() if witness.exists()}


@pytest.mark.parametrize("name", [name for name, hostile in HOSTILE.items() if hostile.fires])
def test_the_hostile_file_works_where_nothing_holds_it(name: str, fired: set[str]) -> None:
    assert name in fired


def words(data: bytes) -> str:
    """Everything that the scan says against a file; fails when it says nothing."""
    with pytest.raises((ModelRefused, NotAModel)) as caught:
        check_allowed(scan_pickle(io.BytesIO(data)))
    assert caught.value.hint
    return caught.value.message


@pytest.mark.parametrize("name", HOSTILE)
def test_the_scan_refuses_it_and_says_why(name: str, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    assert HOSTILE[name].says in words(HOSTILE[name].build(witness))
    assert not witness.exists()


@pytest.mark.parametrize("name", HOSTILE)
def test_the_unpickler_alone_refuses_it_or_leaves_it_without_effect(name: str, tmp_path: Path) -> None:
    hostile, witness = HOSTILE[name], tmp_path / "witness"
    data = hostile.build(witness)
    if hostile.refused_alone:
        with pytest.raises((DashboardError, pickle.UnpicklingError, ValueError)):
            load_restricted(io.BytesIO(data))
    else:
        load_restricted(io.BytesIO(data))
    assert not witness.exists()
    assert callable(sklearn._loss.link.LogLink.link)


@pytest.mark.parametrize("name", [name for name, hostile in HOSTILE.items() if hostile.fires])
def test_loading_it_by_strict_policy_refuses_it(name: str, tmp_path: Path) -> None:
    with pytest.raises((ModelRefused, NotAModel)):
        load(io.BytesIO(HOSTILE[name].build(tmp_path / "witness")), "strict")
    assert not (tmp_path / "witness").exists()


def test_every_refused_name_is_counted_and_five_are_shown() -> None:
    data = b"\x80\x02(" + b"".join(b"cnosuch%d\nname\n" % i for i in range(9)) + b"cos\nsystem\nt."
    report = scan_pickle(io.BytesIO(data))
    assert (report.ok, report.refused_count, len(report.refused)) == (False, 10, 10)
    assert "; and 5 more" in words(data)


def test_a_class_of_the_notebook_is_explained() -> None:
    with pytest.raises(ModelRefused, match="script or notebook") as caught:
        load(io.BytesIO(b"\x80\x02c__main__\nMyModel\n)\x81."))
    assert "installed module" in caught.value.hint


def test_a_library_that_is_not_installed_is_said_to_be_missing() -> None:
    with pytest.raises(MissingLibrary, match="nosuchlib"):
        load(io.BytesIO(b"\x80\x02cnosuchlib.models\nModel\n)\x81."))


def test_a_name_with_odd_characters_is_reported_in_printable_ones() -> None:
    report = scan_pickle(io.BytesIO(b"\x80\x02cno\x1b[31m\nna\x07me\n."))
    shown = report.refused[0]
    assert (shown.module + shown.name).isprintable()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("kind", [0, ("zlib", 3)])
def test_a_cut_model_is_damaged_and_not_hostile(share: float, kind: Any, tmp_path: Path) -> None:
    data = models.save(models.forest_pipeline(), tmp_path / "m.pkl", compress=kind).read_bytes()
    with pytest.raises(NotAModel, match=r"ends in the middle|damaged"):
        check_allowed(scan_pickle(io.BytesIO(data[: int(len(data) * share)])))


def test_the_other_policies_load_what_strict_refuses() -> None:
    data = pickle.dumps({"function": eval}, 4)
    with pytest.raises(ModelRefused):
        load(io.BytesIO(data), "strict")
    for policy in ("contained", "unsafe"):
        assert load(io.BytesIO(data), policy) == {"function": eval}


# Fitted models ------------------------------------------------------------------------------------

REPRESENTATIVE = [
    "AdaBoostClassifier", "BaggingRegressor", "CalibratedClassifierCV", "CountVectorizer", "DBSCAN",
    "ExtraTreesClassifier", "GaussianMixture", "GaussianProcessRegressor", "GradientBoostingClassifier",
    "GridSearchCV", "HistGradientBoostingRegressor", "IsolationForest", "KBinsDiscretizer", "KMeans",
    "KNeighborsClassifier", "LogisticRegressionCV", "MLPRegressor", "MultinomialNB", "OneVsRestClassifier",
    "PCA", "RandomForestRegressor", "RandomizedSearchCV", "SGDClassifier", "SVC", "StackingClassifier",
    "VotingRegressor",
]  # fmt: skip


@pytest.fixture(scope="module")
def fitted() -> list[model_corpus.Fitted]:
    return list(model_corpus.estimators())


def allowed_files(made: model_corpus.Fitted, protocols: tuple[int, ...]) -> Iterator[bytes]:
    """The model's files, each of which the scan lets pass."""
    for kind, data in model_corpus.files(made.model, protocols):
        report = scan_pickle(io.BytesIO(data))
        assert report.ok, (made.label, kind, report.refused, report.findings, report.damaged)
        yield data


def same_answers(made: model_corpus.Fitted, before: Any, again: Any) -> None:
    """Both models answer alike; those that draw at random do so from the same seed."""
    for method in ("predict", "predict_proba", "transform"):
        if made.rows is None or not hasattr(before, method):
            continue
        np.random.seed(0)
        try:
            expected = getattr(before, method)(made.rows)
        except Exception:  # not every estimator of the corpus can be asked
            continue
        np.random.seed(0)
        found = getattr(again, method)(made.rows)
        if hasattr(expected, "toarray"):
            expected, found = expected.toarray(), found.toarray()
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected), err_msg=made.label)


def test_fitted_models_pass_in_every_form_and_answer_as_before(fitted: list[model_corpus.Fitted]) -> None:
    chosen = [made for made in fitted if made.label.partition(" ")[0] in REPRESENTATIVE]
    assert len({made.label.partition(" ")[0] for made in chosen}) == len(REPRESENTATIVE)
    for made in chosen:
        for data in allowed_files(made, (2, 4, 5)):
            same_answers(made, made.model, load_restricted(io.BytesIO(data)))


def test_the_list_holds_every_name_that_the_installed_scikit_learn_writes(
    fitted: list[model_corpus.Fitted],
) -> None:
    """When this fails after an upgrade: run scripts/allow_list.py and review what it adds."""
    needed = {pair for made in fitted for pair in allow_list.observed(pickle.dumps(made.model, 4))}
    assert not needed - allowed().keys()


@pytest.mark.slow
def test_no_model_of_the_whole_corpus_is_refused_in_any_form() -> None:
    count = 0
    for made in model_corpus.all_models():
        for data in allowed_files(made, model_corpus.PROTOCOLS):
            same_answers(made, joblib.load(io.BytesIO(data)), load_restricted(io.BytesIO(data)))
            count += 1
    assert count > 9_000


def test_the_shipped_list_is_sorted_and_holds_no_dotted_and_no_denied_name() -> None:
    lines = [line for line in LIST_FILE.read_text().splitlines() if line[0] != "#"]
    pairs = [tuple(line.split(" ")[:2]) for line in lines]
    assert pairs == sorted(set(pairs))
    assert not any("." in name for _, name in pairs)
    assert not DENIED.keys() & set(pairs)


def test_a_distribution_in_a_search_is_inert_and_the_search_still_predicts() -> None:
    import scipy.stats
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import RandomizedSearchCV

    frame = models.numbers(60)
    for drawn in (scipy.stats.uniform(0.1, 2), scipy.stats.loguniform(0.1, 2), scipy.stats.randint(1, 4)):
        search = RandomizedSearchCV(LogisticRegression(), {"C": drawn}, n_iter=2, cv=2, random_state=0)
        search.fit(frame, models.positive(frame))
        again = load(io.BytesIO(pickle.dumps(search)), "strict")
        assert isinstance(again.param_distributions["C"], Inert)
        np.testing.assert_array_equal(again.predict(frame), search.predict(frame))


@pytest.mark.parametrize(
    ("state", "fine"),
    [
        (b"}N\x86", True),  # ({}, None)
        (b"}NN\x87", False),  # a third part
        (b"NN\x86", False),  # no dict
        (b")", False),  # ()
    ],
)
def test_a_distribution_of_old_scipy_has_a_pair_as_its_state(state: bytes, fine: bool) -> None:
    """How it was made, and a seed: so scipy before 1.6 wrote it. It is read by nothing that executes it."""
    data = b"\x80\x02cscipy.stats._continuous_distns\nuniform_gen\n)\x81" + state + b"b."
    report = scan_pickle(io.BytesIO(data))
    assert report.ok == fine
    assert fine or any("distribution" in finding for finding in report.findings)
    assert isinstance(load_restricted(io.BytesIO(data)), Inert)


def test_nothing_that_is_a_stub_is_ever_resolved() -> None:
    stubs = [pair for pair, uses in allowed().items() if uses & STUB]
    assert ("builtins", "getattr") in stubs
    for module, name in stubs:
        data = b"\x80\x02c" + f"{module}\n{name}\n".encode() + b"."
        assert load_restricted(io.BytesIO(data)) is Inert


def test_names_that_moved_are_found_where_they_are_now() -> None:
    array = pickle.dumps(np.arange(3.0), 2)
    old = array.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert old != array
    assert scan_pickle(io.BytesIO(old)).ok
    np.testing.assert_array_equal(load_restricted(io.BytesIO(old)), np.arange(3.0))


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_pass_in_every_layout(protocol: int) -> None:
    plain = np.arange(24.0).reshape(2, 3, 4)
    for array in (plain, plain.T, plain.swapaxes(0, 1), plain[:, ::2], plain[:0], np.array(1.5)):
        data = pickle.dumps(array, protocol)
        assert scan_pickle(io.BytesIO(data)).ok
        np.testing.assert_array_equal(load_restricted(io.BytesIO(data)), array)


def test_the_scan_tells_what_the_file_tells(tmp_path: Path) -> None:
    path = models.save(models.forest_pipeline(), tmp_path / "m.pkl", compress=("xz", 1))
    with path.open("rb") as file:
        report = scan_pickle(file)
    assert (report.ok, report.format, report.compression, report.protocol) == (True, "joblib", "xz", 4)
    assert report.saved_with["scikit-learn"] == sklearn.__version__
    assert {"joblib", "numpy", "sklearn"} <= set(report.libraries)
    assert ScanReport.model_validate(report.model_dump(mode="json")) == report


# Mutated files ------------------------------------------------------------------------------------


def seeds() -> list[bytes]:
    """A few small files of every form, and hostile ones."""
    made = model_corpus.Fitted("seed", models.logistic(), None)
    kept = {
        "model": made.model,
        "objects": np.array([1, "a", None], dtype=object),
        "when": np.datetime64("2024"),
    }
    found = [data for _, data in model_corpus.files(kept)]
    names = ("memo confusion", "opcode across a frame", "array inside of a frame", "BUILD on a class")
    return found + [HOSTILE[name].build(Path("/nonexistent/witness")) for name in names]


SEEDS = seeds()


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A seed with a few bits flipped, cut, repeated, or spliced with another."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    rng = random.Random(draw(st.integers(0, 2**32)))
    for _ in range(draw(st.integers(1, 8))):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0 | 1 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 2:
                data = data[:at]
            case 3:
                other = rng.choice(SEEDS)
                data = data[:at] + other[rng.randrange(len(other)) :]
            case 4:
                stop = min(len(data), at + rng.randrange(40))
                data = data[:stop] + data[at:]
            case _:
                data[at:at] = bytes([rng.randrange(256)])
    return bytes(data)


@settings(max_examples=1500, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(mutated())
def test_a_mutated_file_ends_in_a_report_or_in_our_error(data: bytes) -> None:
    try:
        report = scan_pickle(io.BytesIO(data))
    except DashboardError:
        return
    assert report.ok is (not report.refused and not report.findings and not report.damaged)
    assert len(report.model_dump_json()) < 64_000


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=300))
def test_random_opcodes_end_in_a_report_or_in_our_error(data: bytes) -> None:
    for start in (b"\x80\x04", b"\x80\x02(", b""):
        try:
            scan_pickle(io.BytesIO(start + data))
        except DashboardError:
            continue


def test_the_walk_takes_as_many_steps_as_the_file_has_bytes() -> None:
    """Every opcode moves on: no length, count or index makes the walk go back or round and round."""
    from scan.machine import Damaged, Stopped
    from scan.walk import TABLE, Walk

    for data in SEEDS:
        for code, handler in enumerate(TABLE):
            walk = Walk(bytes([0x80, 4, 0x28, 0x28, 0x4E, 0x4E, 0x4E, code]) + data, lookup)
            walk.stack, walk.marks = [1, "a", "b", (), {}], [1]
            try:
                assert handler(walk, 8) >= 8
            except (Damaged, Stopped, IndexError, ValueError, TypeError, OSError):
                continue
            except Exception as error:
                assert type(error).__name__ == "error", error  # struct's
