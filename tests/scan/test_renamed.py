"""Old names give no new power: an alias has its new name's rights, and what is inert is never made."""

import importlib.util
import io
import sys
from pathlib import Path

import numpy as np
import pytest

from errors import ModelRefused
from estimators.unpickler import load_restricted
from scan.allow_list import STUBBED, allowed, lookup, today
from scan.files import scan
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


CHECK = b"csklearn.utils.validation\ncheck_array\n"
PARTIAL = b"\x80\x02cfunctools\npartial\n"
UFUNC = b"\x80\x02cnumpy.core\n_ufunc_reconstruct\n"


def text(value: str) -> bytes:
    return b"X" + len(value).to_bytes(4, "little") + value.encode()


def test_a_check_with_its_arguments_is_what_a_partial_may_be() -> None:
    state = b"(" + CHECK + b")}" + text("force_all_finite") + b"\x89sNt"
    data = PARTIAL + CHECK + b"\x85R" + state + b"b."
    assert scan(io.BytesIO(data)).ok
    assert load_restricted(io.BytesIO(data))([[1.0]]).tolist() == [[1.0]]


def test_a_function_of_numpy_is_found_by_its_name() -> None:
    for module in ("numpy", "numpy.core._multiarray_umath"):
        data = UFUNC + text(module) + text("log1p") + b"\x86R."
        assert scan(io.BytesIO(data)).ok and load_restricted(io.BytesIO(data)) is np.log1p


@pytest.mark.parametrize(
    "data",
    [
        PARTIAL + b"cos\nsystem\n\x85R.",  # of any other function
        PARTIAL + b"cnumpy\nexp\n\x85R.",
        PARTIAL + CHECK + text("id") + b"\x86R.",  # with an argument before its state
        PARTIAL + CHECK + b"\x85R(cnumpy\nexp\n)}Ntb.",  # exchanged for another one by the state
        PARTIAL + CHECK + b"\x85R(" + CHECK + b")}" + text("copy") + b"\x88sNtb.",
        PARTIAL + CHECK + b"\x85R(" + CHECK + text("id") + b"\x85}Ntb.",
        PARTIAL + CHECK + b"\x85R(" + CHECK + b")}" + text("estimator") + b"cos\nsystem\nsNtb.",
        b"\x80\x02" + CHECK + text("id") + b"\x85R.",  # the check itself is never called by a file
        UFUNC + text("os") + text("system") + b"\x86R.",
        UFUNC + text("numpy") + text("load") + b"\x86R.",
        UFUNC + text("numpy") + text("testing.run") + b"\x86R.",
        UFUNC + text("numpy") + text("log1p") + b"\x86R)R.",  # and what it gave is not called
    ],
)
def test_names_with_narrower_rights_give_no_other_power(data: bytes) -> None:
    assert not scan(io.BytesIO(data)).ok
    with pytest.raises((ModelRefused, TypeError)):
        load_restricted(io.BytesIO(data))


def refers_to(module: str, name: str) -> bytes:
    return b"\x80\x02c" + f"{module}\n{name}\n.".encode()
