"""Old names give no new power: an alias has its new name's rights, and what is inert is never made."""

import importlib.util
import io
import sys
from pathlib import Path

import pytest

from estimators.unpickler import load_restricted
from scan.allow_list import STUBBED, allowed, lookup, today
from scan.renamed import INERT, RENAMED
from scan.symbols import STUB
from upgrades.stand_ins import STAND_INS, Inert

NARROWED = {("functools", "partial"), ("numpy._core", "_ufunc_reconstruct")}  # theirs does more than ours
ALIASES = sorted(RENAMED.items())


@pytest.mark.parametrize(("old", "new"), ALIASES)
def test_an_alias_is_the_name_it_stands_for(old: tuple[str, str], new: tuple[str, str]) -> None:
    assert old not in allowed() and new in allowed() and today(*new) == new
    assert lookup(*old).uses == lookup(*new).uses
    assert (lookup(*old).module, lookup(*old).name) == new


@pytest.mark.parametrize(("old", "new"), ALIASES)
def test_an_alias_gives_the_very_object_and_never_imports_its_module(
    old: tuple[str, str], new: tuple[str, str]
) -> None:
    found = load_restricted(io.BytesIO(refers_to(*old)))
    assert found is getattr(importlib.import_module(new[0]), new[1])
    assert old[0] not in sys.modules or old[0].rpartition(".")[2] in (
        "_data",
        "_dist_metrics",
        "impute",
        "_multiarray_umath",
        "csr",
        "csc",
    )


@pytest.mark.parametrize("pair", sorted(INERT))
def test_what_is_inert_is_a_class_that_does_nothing(pair: tuple[str, str]) -> None:
    assert allowed()[pair] & STUB and pair in STUBBED
    assert load_restricted(io.BytesIO(refers_to(*pair))) is Inert


def test_a_module_called_as_cythons_losses_were_is_never_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "_loss.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert importlib.util.find_spec("_loss") is not None
    made = load_restricted(io.BytesIO(refers_to("_loss", "CyHuberLoss")[:-1] + b"G?\xe0\0\0\0\0\0\0\x85R."))
    assert type(made) is Inert and "_loss" not in sys.modules


def test_what_holds_an_old_state_is_on_the_list_and_exists_no_more() -> None:
    for module, name in STAND_INS.keys() - NARROWED:
        assert allowed()[module, name]
        spec = importlib.util.find_spec(module) if module != "sklearn.ensemble.gradient_boosting" else None
        assert spec is None or not hasattr(importlib.import_module(module), name)


def refers_to(module: str, name: str) -> bytes:
    return b"\x80\x02c" + f"{module}\n{name}\n.".encode()
