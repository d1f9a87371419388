"""Zip archives: read as zipfile reads them or refused in words, before anything large is made of them."""

import io
import json
import random
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from errors import DashboardError, NotAModel
from estimators.loading import load
from scan import archives
from scan.archives import entry_names, objects_in
from scan.files import first_glance, scan
from scan.native import identify
from tests.support import models_for_tests as models

LAYER = {
    "module": "keras.layers",
    "class_name": "Dense",
    "registered_name": None,
    "config": {"units": 2, "kernel_initializer": {"module": "keras.initializers", "class_name": "Zeros"}},
    "build_config": {"input_shape": [None, 4]},
}
KERAS = {
    "module": "keras",
    "class_name": "Sequential",
    "registered_name": "Sequential",
    "config": {"name": "sequential", "layers": [LAYER, LAYER]},
    "compile_config": None,
}


def zipped(entries: dict[str, Any], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive of those entries; what is no bytes is written as JSON."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        for name, value in entries.items():
            archive.writestr(name, value if isinstance(value, bytes) else json.dumps(value))
    return data.getvalue()


def keras(config: Any = KERAS, metadata: Any = None) -> bytes:
    """A .keras file as Keras writes it, without its weights."""
    told = {"keras_version": "3.10.0", "date_saved": "2025-01-01@00:00:00"} if metadata is None else metadata
    return zipped({"metadata.json": told, "config.json": config, "model.weights.h5": b"\x89HDF"})


def skops(schema: Any = None, **node: Any) -> bytes:
    """A skops file of one node, or of that schema."""
    root: dict[str, Any] = {"__class__": "dict", "__module__": "builtins", "__loader__": "DictNode"}
    root |= {"protocol": 2, "_skops_version": "0.16.0", "content": {"a": node}, "key_types": {}}
    return zipped({"schema.json": root if schema is None else schema})


def large(data: bytes) -> bytes:
    """The same archive with the large form of its end, as PyTorch writes it."""
    end = len(data) - 22
    count, size, start = struct.unpack_from("<HLL", data, end + 10)
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 798, 45, 0, 0, count, count, size, start)
    return data[:end] + record + struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1) + data[end:]


def names(data: bytes) -> tuple[str, ...]:
    return entry_names(io.BytesIO(data))


def told(data: bytes) -> str:
    """What the whole scan says of a file that is no model."""
    with pytest.raises(NotAModel) as caught:
        scan(io.BytesIO(data))
    assert caught.value.hint
    return caught.value.message


# The directory --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [zipped, lambda entries: large(zipped(entries))], ids=["plain", "large"])
def test_the_directory_is_read_as_zipfile_reads_it(form: Any) -> None:
    entries = {f"folder/{i}": b"x" for i in range(300)} | {"ä": b"", "schema.json": {}}
    data = form(entries)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert names(data) == tuple(archive.namelist())


def changed(data: bytes, at: int, fmt: str, *values: int) -> bytes:
    """With other numbers at a place, counted from the end where it is negative."""
    copy = bytearray(data)
    struct.pack_into(fmt, copy, at % len(copy), *values)
    return bytes(copy)


PLAIN = zipped({"config.json": KERAS, "metadata.json": {}})
LARGE = large(PLAIN)
LYING = {
    "a comment": (changed(PLAIN, -2, "<H", 3) + b"abc", "does not end as an archive does"),
    "bytes after its end": (PLAIN + b"\0" * 30, "does not end as an archive does"),
    "bytes before its start": (b"PK\x03\x04" + PLAIN, "not where its end says"),
    "two ends": (PLAIN + PLAIN[-22:], "not where its end says"),
    "a cut": (PLAIN[:-30], "does not end as an archive does"),
    "fewer entries": (changed(PLAIN, -14, "<HH", 1, 1), "not what its end says"),
    "more entries": (changed(PLAIN, -14, "<HH", 3, 3), "not what its end says"),
    "entries on other disks": (changed(PLAIN, -14, "<HH", 1, 2), "one archive in one file"),
    "another size": (changed(PLAIN, -10, "<L", 1), "not where its end says"),
    "another place": (changed(PLAIN, -6, "<L", 1), "not where its end says"),
    "no large end": (changed(LARGE, -22 - 12, "<Q", 5), "not where it says"),
    "ends that disagree": (changed(LARGE, -14, "<HH", 1, 1), "two ends disagree"),
    "a large end of another length": (changed(LARGE, -22 - 20 - 52, "<Q", 99), "one archive in one file"),
    "too little": (b"PK\x03\x04", "does not end as an archive does"),
}


@pytest.mark.parametrize("what", LYING)
def test_a_directory_that_could_be_read_in_two_ways_is_refused(what: str) -> None:
    data, says = LYING[what]
    with pytest.raises(NotAModel, match=says):
        names(data)
    assert says in told(data)
    with pytest.raises(NotAModel, match=says):
        first_glance(io.BytesIO(data))


def test_absurdly_many_entries_are_refused_before_any_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = struct.pack("<4s24x3H12x", b"PK\x01\x02", 1, 0, 0) + b"a"
    directory = entry * 600_000
    start = b"PK\x03\x04" + bytes(100)

    def ended(count: int, size: int) -> bytes:
        short = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, size, len(start), 0)
        record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, len(start))
        where = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(start) + len(directory), 1)
        return start + directory + record + where + short

    monkeypatch.setattr(archives, "ENTRY", None)  # reading an entry would end in an error of ours
    assert "600,000 entries" in told(ended(600_000, len(directory)))
    assert f"directory of {len(directory):,} bytes" in told(ended(5, len(directory)))


# Descriptions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [[], [KERAS], 5, "text", None, True])
def test_a_description_that_is_no_object_is_said_to_be_damaged(value: Any) -> None:
    data = json.dumps(value).encode()
    assert "config.json holds no object" in told(keras(data))
    assert "schema.json holds no object" in told(skops(data))
    report = scan(io.BytesIO(keras(metadata=data)))
    assert (report.ok, report.saved_with) == (True, {})


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "cannot be read"),
        (b'{"a": ', "cannot be read"),
        (b'{"a": NaN}', "no number"),
        (b"\xff\xfe{\x00}\x00", "can't decode"),
        ('{"a": "é"}'.encode(), "can't decode"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "nested deeper than 200"),
        (b"[" * 5_000_000, "nested deeper than 200"),
        (b'{"a": [' + b"[]," * 2_100_000 + b"[]]}", "more than 6,000,000 tokens"),
        (b" " * (65 << 20), "more than"),
    ],
)
def test_a_description_beyond_the_bounds_is_refused_in_words(data: bytes, says: str) -> None:
    assert says in told(zipped({"schema.json": data}))
    assert says in told(keras(data))


def test_an_entry_that_cannot_be_unpacked_is_said_to_be_damaged() -> None:
    data = zipped({"schema.json": {"a": "b" * 1000}})
    start = data.index(b"schema.json") + 11
    broken = data[:start] + b"\xff" * 10 + data[start + 10 :]
    assert "cannot be unpacked" in told(broken)
    crc = data.index(b"PK\x01\x02") + 16
    assert "cannot be unpacked" in told(changed(data, crc, "<L", 1))
    flags = data.index(b"PK\x01\x02") + 8
    assert "cannot be unpacked" in told(changed(changed(data, 6, "<H", 1), flags, "<H", 1))
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):  # of which one piece unpacks to gigabytes
        assert "in a way that is not read" in told(zipped({"schema.json": {}}, method))


def test_an_entry_that_hides_its_size_is_read_no_further_than_it_says() -> None:
    """64 MiB declared as 20 bytes: what is unpacked beyond them is never made."""
    data = zipped({"schema.json": b'{"a": "' + b"b" * (64 << 20) + b'"}'})
    lying = changed(data, data.index(b"PK\x01\x02") + 24, "<L", 20)
    assert "cannot be" in told(lying)


@pytest.mark.parametrize("field", ["class_name", "module", "registered_name"])
@pytest.mark.parametrize("value", [5, [], {}, ["Dense"], True])
def test_a_layer_whose_names_are_no_texts_is_said_to_be_damaged(field: str, value: Any) -> None:
    config = KERAS | {"config": {"layers": [LAYER | {field: value}]}}
    assert "is no text" in told(keras(config))


@pytest.mark.parametrize("field", ["__loader__", "__module__", "__class__"])
@pytest.mark.parametrize("value", [5, [], {}, None, True])
def test_a_node_whose_names_are_no_texts_is_said_to_be_damaged(field: str, value: Any) -> None:
    node = {"__loader__": "ObjectNode", "__module__": "sklearn.svm._classes", "__class__": "SVC"}
    assert scan(io.BytesIO(skops(**node))).ok
    assert "is no text" in told(skops(**node | {field: value}))


def test_a_keras_file_tells_its_version_and_its_layers() -> None:
    assert first_glance(io.BytesIO(keras())).saved_with == {"keras": "3.10.0"}
    report = scan(io.BytesIO(keras()))
    assert report.ok
    assert report.globals == ("keras Sequential", "keras.initializers Zeros", "keras.layers Dense")
    foreign = LAYER | {"module": "builtins", "class_name": "function", "registered_name": "evil"}
    report = scan(io.BytesIO(keras(KERAS | {"config": {"layers": [foreign]}})))
    assert {(r.module, r.name) for r in report.refused} == {("builtins", "function"), ("builtins", "evil")}


def test_a_network_of_a_thousand_layers_fits(tmp_path: Path) -> None:
    config = KERAS | {"config": {"layers": [LAYER] * 1000}}
    assert scan(io.BytesIO(keras(config))).ok


def test_the_glance_leaves_a_large_description_to_the_scan() -> None:
    data = skops(__loader__="JsonNode", __module__="builtins", __class__="str", content="a" * (2 << 20))
    assert first_glance(io.BytesIO(data)).saved_with == {}
    assert scan(io.BytesIO(data)).saved_with == {"skops": "0.16.0"}


def test_the_walk_over_a_description_is_no_recursion() -> None:
    value: Any = {"end": 1}
    for _ in range(50_000):
        value = [value]
    assert list(objects_in(value)) == [{"end": 1}]
    assert list(objects_in({"a": [{"b": {}}, 1]})) == [{"a": [{"b": {}}, 1]}, {"b": {}}, {}]


# Mutated archives -----------------------------------------------------------------------------------


def seeds() -> list[bytes]:
    import skops.io

    return [skops.io.dumps(models.logistic()), keras(), large(keras()), zlib.compress(keras())]


SEEDS = seeds()
FIELDS = ("class_name", "module", "registered_name", "__loader__", "__module__", "__class__", "content")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(FIELDS) | st.text(max_size=5),
        inner,
        max_size=4,
    ),
    max_leaves=10,
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """An archive with some bytes changed, cut or doubled; or with whole entries of other JSON."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    rng = random.Random(draw(st.integers(0, 2**32)))
    for _ in range(draw(st.integers(1, 6))):
        # Half of the time near the end: the directory is there.
        at = rng.randrange(len(data) + 1) if rng.random() < 0.5 else max(0, len(data) - rng.randrange(400))
        match rng.randrange(4):
            case 0 | 1 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 2:
                del data[at : at + rng.randrange(1, 30)]
            case _:
                data[at:at] = data[at : at + rng.randrange(1, 30)]
    return bytes(data)


OTHER = st.builds(keras, JSON, JSON) | st.builds(skops, JSON)


@settings(max_examples=500, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(mutated() | OTHER)
def test_a_mutated_archive_ends_in_a_report_or_in_our_error(data: bytes) -> None:
    for look in (identify, first_glance, scan):
        try:
            look(io.BytesIO(data))
        except DashboardError as error:
            assert error.message and error.hint


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(mutated())
def test_a_mutated_archive_is_loaded_or_refused_in_words(data: bytes) -> None:
    try:
        load(io.BytesIO(data), "strict")
    except DashboardError as error:
        assert error.message
