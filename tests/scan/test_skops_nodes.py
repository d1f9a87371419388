"""skops files: names held to the list for what their nodes do with them, scipy's distributions refused."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from skops.io import get_untrusted_types

from errors import ModelRefused
from estimators.loading import load
from scan.files import first_glance, scan
from scan.native import skops_versions
from scan.policy import check_allowed
from scan.skops_nodes import nodes_in, refused_in
from tests.support import model_corpus
from tests.support import models_for_tests as models

BOOSTER = {"__module__": "xgboost.core", "__class__": "Booster"}
SCHEMA = {"__class__": "dict", "__module__": "builtins", "__loader__": "DictNode", "protocol": 2}


def refused(**node: Any) -> list[tuple[str, str]]:
    return refused_in(nodes_in(SCHEMA | {"content": {"a": node}}))


@pytest.mark.parametrize(
    "loader",
    ["TypeNode", "FunctionNode", "ConstructorFromReduceNode", "LossNode", "DictNode", "ListNode", "SetNode",
     "NdArrayNode", "RandomStateNode", "RandomGeneratorNode", "PartialNode", "OperatorFuncNode", "MethodNode",
     "QuantileForestNode", "SomethingNew"],
)  # fmt: skip
def test_a_class_that_a_file_may_only_make_is_neither_kept_nor_called(loader: str) -> None:
    """Booster(*args) reads a file by its name, now or when a FunctionTransformer calls it."""
    assert refused(__loader__=loader, **BOOSTER) == [("xgboost.core", "Booster")]
    assert refused(__loader__="ObjectNode", **BOOSTER) == []


@pytest.mark.parametrize(
    ("loader", "module", "name"),
    [
        ("ConstructorFromReduceNode", "builtins", "getattr"),
        ("ConstructorFromReduceNode", "builtins", "type"),
        ("ConstructorFromReduceNode", "copyreg", "_reconstructor"),
        ("FunctionNode", "builtins", "getattr"),
        ("FunctionNode", "builtins", "eval"),
        ("ObjectNode", "subprocess", "Popen"),
        ("TupleNode", "subprocess", "Popen"),
        ("TypeNode", "builtins", "map"),
    ],
)
def test_what_the_list_does_not_give_is_refused_by_name(loader: str, module: str, name: str) -> None:
    assert refused(__loader__=loader, __module__=module, __class__=name) == [(module, name)]


def test_the_name_of_a_function_in_an_older_file_is_looked_at() -> None:
    listed = {"__loader__": "FunctionNode", "__module__": "numpy", "__class__": "add"}
    assert refused(**listed) == []
    hidden = {"content": {"module_path": "os", "function": "system"}}
    assert refused(**listed, **hidden) == [("os", "system")]


def test_a_transformer_that_would_read_a_file_is_refused_by_scan_and_loader() -> None:
    import xgboost
    from sklearn.preprocessing import FunctionTransformer

    data = skops.io.dumps(FunctionTransformer(xgboost.Booster, kw_args={"model_file": "/etc/passwd"}))
    report = scan(io.BytesIO(data))
    assert not report.ok
    with pytest.raises(ModelRefused, match=r"xgboost\.core\.Booster"):
        check_allowed(report)
    with pytest.raises(ModelRefused, match=r"xgboost\.core\.Booster.*put to a use"):
        load(io.BytesIO(data), "strict", report.model_copy(update={"ok": True}))


def crafted_distribution(witness: Path) -> bytes:
    """A search's file with a text in it that scipy executes when the search is made of it again."""
    from scipy.stats._continuous_distns import uniform_gen

    made = uniform_gen(name="uniform")
    made._parse_arg_template = f"open({str(witness)!r}, 'w').close()\n" + made._parse_arg_template
    data: bytes = skops.io.dumps({"C": made})
    return data


def test_a_distribution_is_refused_for_skops_would_execute_its_text(tmp_path: Path) -> None:
    data = crafted_distribution(tmp_path / "witness")
    report = scan(io.BytesIO(data))
    assert not report.ok and report.refused[0].name == "uniform_gen"
    assert "runs a text" in report.refused[0].reason and "best_estimator_" in report.refused[0].hint
    assert not (tmp_path / "witness").exists()
    skops.io.loads(data, trusted=get_untrusted_types(data=data))
    assert (tmp_path / "witness").exists()


def test_nothing_of_the_file_but_its_description_is_unpacked() -> None:
    """skops's own look at a file unpacks each array as often as it is named."""
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(models.logistic()))) as archive:
        schema = json.loads(archive.read("schema.json"))
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
    assert scan(data).ok


@pytest.mark.slow
def test_no_model_of_the_corpus_is_refused_but_for_its_distributions() -> None:
    passed = 0
    for made in model_corpus.all_models():
        try:
            data = skops.io.dumps(made.model)
        except Exception:  # skops cannot write all of them
            continue
        report = scan(io.BytesIO(data))
        odd = {(r.module, r.name) for r in report.refused} - SKOPS_ONLY
        assert all(module.startswith("scipy.stats.") for module, _ in odd), (made.label, odd)
        passed += bool(report.ok)
    assert passed > 900


# Refused before as well: what skops writes, and pickles write in another way.
SKOPS_ONLY = {
    ("builtins", "NoneType"), ("builtins", "ellipsis"), ("pandas", "Timedelta"), ("pandas", "Timestamp"),
    ("pandas.api.typing", "NAType"), ("pandas.api.typing", "NaTType"),
}  # fmt: skip


@pytest.mark.parametrize("kept", [np.log1p, np.float64, np.float32(1), np.arange(3), {"a": (1, [2])}, {1, 2}])
def test_what_estimators_keep_passes(kept: Any) -> None:
    assert scan(io.BytesIO(skops.io.dumps({"kept": kept}))).ok


def test_more_classes_than_any_library_has_are_not_listed() -> None:
    nodes = [{"__loader__": "ObjectNode", "__module__": "m", "__class__": f"C{i}"} for i in range(20_001)]
    with pytest.raises(ValueError, match="20,000 different"):
        nodes_in({"content": nodes})
    assert len(nodes_in({"content": nodes[1:]})) == 20_000


def test_the_scikit_learn_that_saved_a_skops_file_is_told() -> None:
    dumps = pytest.importorskip("skops.io").dumps
    import sklearn
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    file = io.BytesIO(dumps(make_pipeline(LogisticRegression()).fit([[0.0], [1.0]], [0, 1])))
    assert scan(file).saved_with["scikit-learn"] == first_glance(file).saved_with["scikit-learn"]
    assert scan(file).saved_with["scikit-learn"] == sklearn.__version__


@pytest.mark.parametrize("told", ['"1.2.2', "1.2.2", 3, None, '"../../x"', '"1' + "0" * 50 + '"'])
def test_a_version_of_another_form_is_none(told: object) -> None:
    schema = {"_skops_version": "0.10", "content": {"_sklearn_version": {"content": told}}}
    assert skops_versions(schema) == {"skops": "0.10"}
