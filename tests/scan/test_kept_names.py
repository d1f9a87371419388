"""A listed name as a value: kept only where the list says so, whatever it is put into."""

import io
import pickle
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.preprocessing import FunctionTransformer

from errors import ModelRefused
from estimators.unpickler import load_restricted
from scan.allow_list import allowed
from scan.pickles import scan_pickle
from scan.symbols import CALL, HOLD, NEW

BOOSTER = b"cxgboost.core\nBooster\n"  # may be made, and not kept
ADD = b"cnumpy\nadd\n"  # may be kept
TRANSFORMER = b"csklearn.preprocessing._function_transformer\nFunctionTransformer\n)\x81"

WAYS = {
    "the file's list": b"](%se.",
    "one appended": b"]%sa.",
    "a list of protocol 0": b"(%sl.",
    "a tuple in a list": b"]%s\x85a.",
    "a pair in a pair": b"N%sN\x86\x86\x85.",
    "three": b"]%sNN\x87a.",
    "a long tuple": b"(NNNNN%st.",
    "a tuple of a mark, in a list": b"](%sta.",
    "a dict's value": b"}N%ss.",
    "a dict's key": b"}%sNs.",
    "several items": b"}(K\x01%su.",
    "a dict of protocol 0": b"(N%sd.",
    "a set": b"\x8f(%s\x90.",
    "a frozen set": b"(%s\x91.",
    "a state": TRANSFORMER + b"%sb.",
    "a part of a state": TRANSFORMER + b"}X\x04\x00\x00\x00func%ssb.",
    "slots": TRANSFORMER + b"N}X\x04\x00\x00\x00func%ss\x86b.",
    "what a call keeps": b"ccollections\nCounter\n%s\x85R.",
    "what a constructor keeps": b"csklearn.dummy\nDummyClassifier\n%s\x85\x81.",
    "a later argument": b"cpandas.core.indexes.base\n_new_Index\ncpandas\nIndex\n%s\x86R.",
    "arguments used again": b"ccopyreg\n_reconstructor\n%scbuiltins\nobject\nN\x87q\x00R0]h\x00a.",
}


def outcome(data: bytes) -> str:
    return "; ".join(scan_pickle(io.BytesIO(data)).findings)


@pytest.mark.parametrize("way", WAYS)
def test_a_class_that_reads_files_is_kept_in_nothing(way: str) -> None:
    data = b"\x80\x04" + WAYS[way] % BOOSTER
    assert "keeps xgboost.core.Booster as a value" in outcome(data)
    with pytest.raises(ModelRefused, match="keeps Booster as a value"):
        load_restricted(io.BytesIO(data))
    assert "as a value" not in outcome(b"\x80\x04" + WAYS[way] % ADD)


def test_a_class_is_not_kept_by_way_of_an_array_of_objects() -> None:
    file = io.BytesIO()
    joblib.dump(np.array([None], dtype=object), file, protocol=2)
    start = file.getvalue()[: file.getvalue().rindex(b"\x80\x05")]  # where the array's own pickle begins
    for inside in (b"\x80\x04" + BOOSTER + b".", b"\x80\x04" + BOOSTER + b"\x85."):
        data = start + inside + b"."
        assert "keeps xgboost.core.Booster as a value" in outcome(data)
        with pytest.raises(ModelRefused, match="keeps Booster as a value"):
            load_restricted(io.BytesIO(data))


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("function", [np.log1p, np.clip, np.float64, dict])
def test_what_estimators_keep_passes_and_works(protocol: int, function: Any) -> None:
    data = pickle.dumps(FunctionTransformer(function), protocol)
    report = scan_pickle(io.BytesIO(data))
    assert report.ok, report
    assert load_restricted(io.BytesIO(data)).func is function


def test_a_class_may_be_what_a_call_makes_and_the_file_as_a_whole() -> None:
    made = b"\x80\x02ccopyreg\n_reconstructor\n" + BOOSTER + b"cbuiltins\nobject\nN\x87R."
    assert scan_pickle(io.BytesIO(made)).ok
    assert type(load_restricted(io.BytesIO(made))).__name__ == "Booster"
    assert scan_pickle(io.BytesIO(b"\x80\x02" + BOOSTER + b".")).ok


def test_no_model_has_the_right_to_be_kept_and_few_that_make_objects_have_it() -> None:
    """Reviewed names: what makes objects and may be kept as well can neither read a file nor run a thing."""
    kept = {pair for pair, uses in allowed().items() if uses & HOLD}
    assert {
        pair for pair in kept if pair[0].partition(".")[0] in ("xgboost", "lightgbm", "catboost")
    } == set()
    assert {pair for pair in kept if allowed()[pair] & (CALL | NEW) and "dist_metrics" not in pair[0]} == {
        ("builtins", "bytes"),
        ("builtins", "set"),
        ("collections", "OrderedDict"),
        ("numpy.random._pickle", "__bit_generator_ctor"),
        ("sklearn.model_selection._split", "KFold"),
        ("sklearn.model_selection._split", "StratifiedKFold"),
        ("sklearn.preprocessing._label", "LabelEncoder"),  # defaultdict(LabelEncoder): made without a word
    }
