"""MLflow folders and lists of names, opened under bounds: no path, size or number is believed."""

import gzip
import io
import json
import pickle
import tarfile
import zipfile
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from bundles.containers import Opened, opened
from errors import DashboardError, NotAModel
from mining.schema import mine

ROWS = pd.DataFrame({"age": [20.0, 30.0, 40.0, 50.0], "city": ["a", "b", "a", "b"]})
MODEL = LogisticRegression().fit(np.array([[20.0, 0.0], [30.0, 1.0], [40.0, 0.0], [50.0, 1.0]]), [0, 0, 1, 1])
SIGNATURE = [{"type": "double", "name": "age", "required": True}, {"type": "string", "name": "city"}]
EXAMPLE = {"columns": ["age", "city"], "data": ROWS.to_numpy().tolist()}
MLMODEL = f"""artifact_path: model
flavors:
  python_function:
    loader_module: mlflow.sklearn
    predict_fn: predict
  sklearn:
    code: null
    pickled_model: model.pkl
    serialization_format: cloudpickle
    sklearn_version: 1.9.1
mlflow_version: 3.1.0
saved_input_example_info:
  artifact_path: input_example.json
  pandas_orient: split
  type: dataframe
signature:
  inputs: '{json.dumps(SIGNATURE)}'
  outputs: '[{{"type": "tensor", "tensor-spec": {{"dtype": "int64", "shape": [-1]}}}}]'
"""
FOLDER = {
    "MLmodel": MLMODEL.encode(),
    "model.pkl": pickle.dumps(MODEL),
    "input_example.json": json.dumps(EXAMPLE).encode(),
    "requirements.txt": b"scikit-learn==1.9.1\n",
}


def zipped(files: dict[str, bytes], above: str = "") -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(above + name, content)
    return file


def tarred(files: dict[str, bytes], mode: Any = "w", above: str = "") -> io.BytesIO:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(above + name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file


def with_mlmodel(text: str) -> dict[str, bytes]:
    return FOLDER | {"MLmodel": text.encode()}


def names_of(found: Opened) -> tuple[str, ...]:
    assert found.promised is not None
    return found.promised.names


@pytest.mark.parametrize("file", [
    zipped(FOLDER), zipped(FOLDER, "model/"), zipped(FOLDER, "mlruns/0/model/"), tarred(FOLDER),
    tarred(FOLDER, "w:gz"), tarred(FOLDER, "w:gz", "./"), tarred(FOLDER, "w:gz", "artifacts/model/"),
])  # fmt: skip
def test_a_folder_in_an_archive_gives_its_model_and_what_it_promises(file: io.BytesIO) -> None:
    found = opened(file)
    assert found.file.read() == FOLDER["model.pkl"]
    scanned = found.scan()
    assert (scanned.format, scanned.container, scanned.ok) == ("pickle", "mlflow", True)
    assert names_of(found) == ("age", "city")
    mined = mine(MODEL, found.promised)
    assert mined is not None
    age, city = mined.schema.features
    assert (age.name, age.type, age.mean) == ("age", "number", 35.0)
    assert (city.type, city.categories, city.origin) == ("category", ("a", "b"), "model")


def test_without_an_example_the_signature_tells_names_and_types() -> None:
    files = {name: content for name, content in FOLDER.items() if name != "input_example.json"}
    found = opened(zipped(files))
    assert found.promised is not None
    assert [(f.name, f.type) for f in found.promised.features] == [("age", "number"), ("city", "number")]


@pytest.mark.parametrize("signature", ["[[[", '{"a": 1}', '[{"type": "tensor"}]', "[1, 2]", "null"])
def test_a_signature_that_cannot_be_read_is_left_aside(signature: str) -> None:
    text = MLMODEL.replace(json.dumps(SIGNATURE), signature)
    assert opened(zipped(with_mlmodel(text))).scan().ok


@pytest.mark.parametrize(("text", "said"), [
    ("flavors: [1]", "names no flavors"),
    ("a: [", "no YAML"),
    ("{" * 3000, "no YAML"),
    ("flavors:\n  spark: {}\n", "flavours spark, and none of them is tested"),
    ("flavors:\n  pytorch:\n    model_data: data\n", "flavours pytorch"),
    ("flavors:\n  python_function:\n    loader_module: mlflow.pyfunc.model\n", "none of them is tested"),
    ("flavors:\n  sklearn:\n    pickled_model: ../../etc/passwd\n", "has no such file"),
    ("flavors:\n  sklearn:\n    pickled_model: /etc/passwd\n", "has no such file"),
    ("flavors:\n  xgboost:\n    data: gone.json\n", "has no such file"),
    ("!!python/object/apply:os.system ['true']\n", "no YAML"),
])  # fmt: skip
def test_what_a_description_cannot_be_used_for_is_said(text: str, said: str) -> None:
    with pytest.raises(NotAModel, match=said):
        opened(zipped(with_mlmodel(text)))


def test_aliases_that_unfold_without_end_cost_nothing() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    assert opened(zipped(with_mlmodel(MLMODEL + "\n".join(lines) + "\n"))).scan().ok


def test_links_and_devices_in_a_tar_are_no_files() -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in FOLDER.items():
            member = tarfile.TarInfo(name)
            if name == "model.pkl":
                member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    with pytest.raises(NotAModel, match="has no such file"):
        opened(file)


def test_a_tar_without_mlmodel_says_what_to_upload() -> None:
    with pytest.raises(NotAModel, match=r"without an MLmodel: app\.py, model\.pkl") as caught:
        opened(tarred({"app.py": b"x", "model.pkl": FOLDER["model.pkl"]}, "w:gz"))
    assert "Unpack it" in caught.value.hint


def test_a_pickle_in_gzip_is_no_tar() -> None:
    assert opened(io.BytesIO(gzip.compress(FOLDER["model.pkl"]))).container == ""


@pytest.mark.parametrize("file", [
    zipped(FOLDER | {"model.pkl": bytes(200 << 20)}),
    tarred(FOLDER | {"model.pkl": bytes(200 << 20)}, "w:gz"),
    zipped(FOLDER | {f"f{i}": b"" for i in range(3_000)}),
    tarred(FOLDER | {f"f{i}": b"" for i in range(3_000)}),
    zipped(with_mlmodel(MLMODEL + "#" * (2 << 20))),
], ids=["zip bomb", "tar bomb", "zip of many", "tar of many", "long description"])  # fmt: skip
def test_bombs_are_refused(file: io.BytesIO) -> None:
    with pytest.raises(DashboardError) as caught:
        opened(file).scan()
    assert caught.value.code == "not_a_model"


@pytest.mark.parametrize(("text", "names"), [
    ('["a", "b"]', ("a", "b")), ('{"data_columns": ["a", "b"], "version": 2}', ("a", "b")),
    ('\ufeff["a"]', ("a",)), ("[1, 2]", None), ('["a", "a"]', None), ("[", None),
    ('{"a": {"b": ["c"]}}', None),
])  # fmt: skip
def test_a_list_of_names_in_json_is_a_companion(text: str, names: tuple[str, ...] | None) -> None:
    file = io.BytesIO(text.encode())
    assert opened(file, companion=True).names == names
    assert opened(file).names is None


def test_a_boosters_json_is_no_list_of_names() -> None:
    file = io.BytesIO(b'{"learner": {"attributes": {}}, "version": [3, 2, 0]}')
    assert opened(file, companion=True).names is None
