"""The library that is truly at fault, and a command that a shell takes."""

import shlex
import subprocess

import pytest

from scan.version_advice import (
    ENVIRONMENTS,
    YEARS,
    advice,
    is_skew,
    libraries_in,
    libraries_named,
    mismatch_of,
    version_mismatch,
)
from scan.versions import installed_versions

SAVED = {"numpy": "1.x", "pandas": "1.x", "scikit-learn": "1.2.2", "xgboost": "1.7.6"}


@pytest.mark.parametrize(
    ("text", "library"),
    [
        ("No module named 'sklearn.ensemble.forest'", "scikit-learn"),
        ("module 'xgboost.compat' has no attribute 'XGBoostLabelEncoder'", "xgboost"),
        ("'XGBClassifier' object has no attribute 'enable_categorical'", "xgboost"),
        ("Can't get attribute 'Index' on <module 'pandas.core.indexes.base' from 'base.py'>", "pandas"),
        ("No module named 'numpy.core.umath'", "numpy"),
        ("'SimpleImputer' object has no attribute '_fill_dtype'", "scikit-learn"),
        ("something else", "scikit-learn"),
    ],
)
def test_the_library_that_an_error_names_is_at_fault_else_the_models_own(text: str, library: str) -> None:
    found = version_mismatch(SAVED, libraries_in(text), text)
    assert found is not None
    assert (
        f"saved with {library} {SAVED[library]} (installed here: {installed_versions()[library]})"
        in found.message
    )


def test_an_object_names_its_library_where_the_text_does_not() -> None:
    from sklearn.linear_model import Ridge

    with pytest.raises(AttributeError) as caught:
        Ridge().coef_  # noqa: B018
    assert libraries_named(caught.value)[0] == "scikit-learn"


@pytest.mark.parametrize(
    ("error", "saved"),
    [
        (AttributeError("x"), {"numpy": "1.x"}),  # holds numbers, and nothing speaks of it
        (AttributeError("x"), {}),
        (AttributeError("x"), {"scikit-learn": installed_versions()["scikit-learn"]}),
        (ZeroDivisionError("x"), SAVED),  # not how a class fails that has changed
    ],
)
def test_versions_are_not_blamed_for_what_they_do_not_explain(
    error: Exception, saved: dict[str, str]
) -> None:
    assert mismatch_of(error, saved) is None


def test_a_failing_row_tells_of_another_version_by_its_kind() -> None:
    assert is_skew("AttributeError", "'BSpline' object has no attribute '_asarray'")
    assert is_skew("TypeError", "__init__() got an unexpected keyword argument 'sparse'")
    assert not is_skew("TypeError", "can't multiply sequence by non-int of type 'float'")
    assert not is_skew("ValueError", "could not convert string to float: 'a'")


VERSIONS = [
    ("scikit-learn", "0.18.1"), ("scikit-learn", "0.20.4"), ("scikit-learn", "1.0.2"),
    ("scikit-learn", "1.8.0"), ("xgboost", "1.0.2"), ("xgboost", "2.1.4"), ("lightgbm", "2.x"),
    ("lightgbm", "3.3.5"), ("catboost", "0.26.1"),
]  # fmt: skip


@pytest.mark.parametrize(("library", "saved"), VERSIONS)
def test_the_command_is_one_that_a_shell_takes(library: str, saved: str) -> None:
    """Each was run with a file of such a release; here its form is held: three parts, Python that parses."""
    hint = advice(library, saved)
    command = hint[hint.index("python3") : hint.index(" . Where")]
    assert subprocess.run(["sh", "-n", "-c", command], check=False).returncode == 0
    made, installed, ran = command.split(" && ")
    assert made.endswith("-m venv old") and installed.startswith("old/bin/pip install ")
    packages = shlex.split(installed)[3:]
    assert any(name.startswith(library) for name in packages) and any(
        n.startswith("numpy<") for n in packages
    )
    program = shlex.split(ran)
    assert program[:2] == ["old/bin/python", "-c"]
    compile(program[2], "command", "exec")
    assert len(hint) < 1_000  # what crosses the pipe
    assert "://" not in hint


def test_what_is_newer_than_here_is_to_be_installed() -> None:
    assert "pip install scikit-learn==99.1.0" in advice("scikit-learn", "99.1.0")


def test_the_environments_cover_every_release() -> None:
    assert [before for before, _ in ENVIRONMENTS] == sorted(before for before, _ in ENVIRONMENTS)
    assert all(years[-1][0] == (99, 0) for years in YEARS.values())
