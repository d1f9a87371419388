"""Samples: what people really upload is read, and what cannot be read is said with its line."""

import io
import pickle
from datetime import date, time
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal, assert_series_equal

from errors import InvalidSample, TooLarge
from rows import samples
from rows.columns import split_target
from rows.limits import Limits
from sandbox import wire

PLAIN = pd.DataFrame({"age": [41, 7], "città": ["Forlì", "Orléans"], "share": [0.5, 1.25]})


def read_sample(data: bytes, name: str, **limits: Any) -> pd.DataFrame:
    return samples.read_sample(io.BytesIO(data), name, Limits(**limits))


def read(text: str, encoding: str = "utf-8", **limits: int) -> pd.DataFrame:
    return read_sample(text.encode(encoding), "rows.csv", **limits)


def parquet(frame: pd.DataFrame, **keys: Any) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, **keys)
    return buffer.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_encoding_and_separator_gives_the_same_frame(encoding: str, separator: str, end: str) -> None:
    text = PLAIN.to_csv(index=False, sep=separator, lineterminator=end)
    assert_frame_equal(read(text, encoding), PLAIN)


def test_utf_16_is_read_in_both_byte_orders() -> None:
    for mark, codec in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        assert_frame_equal(read_sample(mark + PLAIN.to_csv(index=False).encode(codec), "a.csv"), PLAIN)


def test_bytes_that_windows_1252_leaves_undefined_are_read_as_latin_1() -> None:
    assert read_sample(
        b"a,b\nna\xefve \x81 text that is long enough not to look binary" + b"." * 300 + b",1\n", "a"
    ).shape
    assert read_sample("€,b\n1,2\n".encode("cp1252"), "a").columns.tolist() == ["€", "b"]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_decimal_commas_become_numbers(separator: str) -> None:
    rows = [
        ["a", "b", "c", "d"],
        ["1,5", "1.234,5", "x,y", "2.5"],
        ["-2", "7,25", "z", "1"],
        ["", "1", "w", "3"],
    ]
    frame = read("\n".join(separator.join(row) for row in rows))
    assert frame["a"].tolist()[:2] == [1.5, -2.0] and np.isnan(frame["a"][2])
    assert frame["b"].tolist() == [1234.5, 7.25, 1.0]
    assert frame["c"].tolist() == ["x,y", "z", "w"] and frame["d"].tolist() == [2.5, 1.0, 3.0]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("a;b\n1,5;2,5\n2,5;3,5\n", ["a", "b"]),  # commas are more even than they look
        ('a,b\n"x;y;z",1\n"x;y;z",2\n', ["a", "b"]),
        ('"a;1","b;2"\n1,2\n', ["a;1", "b;2"]),
        ("a|b,c\n1|2\n3|4\n", ["a", "b,c"]),
        ("a b,c d\n1,2\n", ["a b", "c d"]),
        ("age\n1\n2\n", ["age"]),
        ("comment\nhello, world\nfine\n", ["comment"]),
    ],
)
def test_the_separator_is_the_one_that_fits_every_line(text: str, columns: list[str]) -> None:
    if text.startswith("comment"):
        text = text.replace("hello, world", '"hello, world"')
    assert read(text).columns.tolist() == columns


def test_values_are_those_that_pandas_reads() -> None:
    text = 'a,b,c,d,e\n1,0.1,True,"x, ""y""",\n2,1e-7,False,NA,7\n'
    assert_frame_equal(read(text), pd.read_csv(io.StringIO(text)))


def test_a_quoted_line_break_stays_inside_its_value() -> None:
    assert read('a,b\n"one\ntwo",1\nthree,2\n')["a"].tolist() == ["one\ntwo", "three"]


def test_blank_lines_are_skipped() -> None:
    assert read("\n\na,b\n\n1,2\n   \n3,4\n\n")["b"].tolist() == [2, 4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,c\n1,2,3\n\n4,5\n", r"Line 4 of the sample 'rows.csv' has 2 values, the header has 3"),
        ("a,b\n1,2\n3,4,5\n", r"Line 3 .* has 3 values, the header has 2"),
        ('a,b\n"x\ny",2\n3\n', r"Line 4 .* has 1 value, the header has 2"),
        ("a,b,a\n1,2,3\n", r"more than one column 'a'"),
        ("a,b\n", r"column names but no rows"),
        ("a,,c\n1,2,3\n", r"Column 2 .* has values but no name"),
        (",\n1,2\n", r"no column names"),
        ("5.1,3.5,0\n4.9,3.0,1\n", r"first line .* holds numbers"),
        ('a,b\n1,"never closed\n' + "x\n" * 600_000, r"cannot be read as CSV after row 0"),
        ("a,b\n1,\0\n", r"not text but binary"),
    ],
)
def test_a_table_that_is_not_clean_is_refused_with_the_place(text: str, message: str) -> None:
    with pytest.raises(InvalidSample, match=message) as caught:
        read(text)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"  \n ", "is empty"),
        (b"PK\x03\x04rest", "Excel workbook"),
        (pickle.dumps([1, 2]), "a pickle"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (bytes(range(256)) * 4, "binary"),
        (b"\xff\xfe\x00", "is broken"),
        (b"PAR1 and then nothing\0", "Parquet sample .* cannot be read"),
        (parquet(PLAIN)[:-40], "Parquet sample .* cannot be read"),
        (parquet(PLAIN).replace(b"age", b"\0\xff\0"), "Parquet sample .* cannot be read"),
    ],
)
def test_what_is_no_table_is_refused_by_its_kind(data: bytes, message: str) -> None:
    with pytest.raises(InvalidSample, match=message):
        read_sample(data, "x")


def test_the_index_that_pandas_writes_is_dropped() -> None:
    assert_frame_equal(read(PLAIN.to_csv()), PLAIN)
    assert_frame_equal(read(PLAIN.to_csv(index=False, lineterminator=",\n")), PLAIN)  # a separator too many


def test_more_rows_than_the_cap_are_cut_and_it_is_stated() -> None:
    text = "a\n" + "\n".join(str(i) for i in range(30))
    frame = read(text, rows=10)
    assert frame["a"].tolist() == list(range(10)) and frame.attrs["cut_at"] == 10
    assert "cut_at" not in read(text, rows=30).attrs
    cut = read_sample(parquet(pd.DataFrame({"a": range(30)})), "x", rows=10)
    assert cut["a"].tolist() == list(range(10)) and cut.attrs["cut_at"] == 10


def test_parquet_gives_back_what_was_written() -> None:
    frame = PLAIN.assign(
        t=pd.to_datetime(["2024-01-01", "NaT"]),
        b=[True, False],
        c=pd.Categorical(["x", "y"]),
        m=[1, np.nan],
    )
    assert_frame_equal(read_sample(parquet(frame), "rows.csv"), frame, check_dtype=False)  # units of time


def test_the_index_is_kept_where_a_model_was_fitted_on_it() -> None:
    text = PLAIN.to_csv()
    kept = read(text, index=True)
    assert_frame_equal(kept, PLAIN.reset_index(names="Unnamed: 0"))
    assert kept.attrs["index"] and read(text).attrs["index"]
    assert not read(PLAIN.to_csv(index=False)).attrs


def test_parquet_is_read_without_its_index() -> None:
    frame = read_sample(parquet(PLAIN.set_index(pd.Index([5, 6]))), "x")
    assert_frame_equal(frame, PLAIN)


def test_parquet_without_rows_is_refused() -> None:
    with pytest.raises(InvalidSample, match="no rows"):
        read_sample(parquet(PLAIN.head(0)), "x")


def test_rows_beyond_the_bytes_that_are_taken_are_left_out_and_it_is_said() -> None:
    table = pd.DataFrame({"a": range(100), "b": np.arange(100) / 8})
    for data in (table.to_csv(index=False).encode(), parquet(table)):
        cut = read_sample(data, "x", decoded=10 * 16)
        assert_frame_equal(cut, table.head(10))
        assert cut.attrs == {"cut_at": 10}
    texts = pd.DataFrame({"a": ["x" * 100] * 50})
    for data in (texts.to_csv(index=False).encode(), parquet(texts)):
        cut = read_sample(data, "x", decoded=2_200)
        assert 15 <= len(cut) <= 21 and cut.attrs == {"cut_at": len(cut)}


def test_a_row_wider_than_the_bytes_that_are_taken_is_still_one_row() -> None:
    wide = pd.DataFrame([range(100)] * 3, columns=[f"c{i}" for i in range(100)])
    for data in (wide.to_csv(index=False).encode(), parquet(wide)):
        assert read_sample(data, "x", decoded=8).shape == (1, 100)


def test_more_columns_than_are_taken_are_refused_by_number() -> None:
    for data in (PLAIN.to_csv(index=False).encode(), parquet(PLAIN)):
        with pytest.raises(TooLarge, match="has 3 columns; at most 2"):
            read_sample(data, "x", columns=2)


@pytest.mark.parametrize(("rows", "dictionary"), [(1_200, True), (9, False)])
def test_a_text_that_many_rows_refer_to_is_refused_before_it_is_unfolded(rows: int, dictionary: bool) -> None:
    data = parquet(pd.DataFrame({"a": ["x" * 1_000_000] * rows}), use_dictionary=dictionary)
    with pytest.raises(TooLarge, match=r"'a' .* a value of 1,000,000 bytes; at most 100,000"):
        read_sample(data, "x")


def test_a_category_that_is_too_long_is_refused() -> None:
    data = parquet(pd.DataFrame({"a": pd.Categorical(["x" * 200_000] * 3)}))
    with pytest.raises(TooLarge, match="200,000 bytes"):
        read_sample(data, "x")


def test_lines_without_end_are_refused_unread() -> None:
    with pytest.raises(InvalidSample, match="a line has more than 4,194,304 characters"):
        read("a,b\n" + "1," * 3_000_000)
    with pytest.raises(InvalidSample, match="more than 1,000,000 empty lines"):
        read("a,b\n" + "\n" * 1_100_000)


def test_whole_numbers_of_any_length_are_read() -> None:
    frame = read("a,b\n" + "9" * 25 + "," + "9" * 400 + "\n1,2\n")
    assert frame["a"].tolist() == [1e25, 1.0] and frame["b"].tolist() == ["9" * 400, "2"]


def test_metadata_nested_without_end_are_refused() -> None:
    table = pa.table({"a": [1.0]}).replace_schema_metadata({"pandas": "[" * 100_000})
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    with pytest.raises(InvalidSample, match="The Parquet sample 'x' cannot be read"):
        read_sample(buffer.getvalue(), "x")


def test_a_parquet_column_of_lists_is_named_unread() -> None:
    with pytest.raises(InvalidSample, match=r"Column 'b' .* lists or objects"):
        read_sample(parquet(pd.DataFrame({"a": [1], "b": [[1, 2]]})), "x")


def test_every_type_of_a_parquet_file_comes_in_one_that_a_model_can_be_sent() -> None:
    table = pd.DataFrame(
        {
            "day": [date(2024, 1, 31), None],
            "price": [Decimal("1.50"), None],
            "big": np.array([1, 2**64 - 1], dtype=np.uint64),
            "clock": [time(9, 30), None],
            "took": pd.to_timedelta(["1h", "2h"]),
            "raw": [b"\xff", b"a"],
            "flag": [True, None],
        }
    )
    frame = read_sample(parquet(table), "x")
    assert frame["day"].tolist() == [pd.Timestamp("2024-01-31"), pd.NaT]
    assert frame["price"].dtype == frame["big"].dtype == np.float64
    assert frame["clock"].tolist()[0] == "09:30:00" and frame["took"].tolist()[0] == "0 days 01:00:00"
    assert frame["raw"].tolist() == [r"b'\xff'", "b'a'"]
    assert frame["flag"].tolist() == [True, None]
    assert_frame_equal(wire.decode_frame(wire.encode_frame(frame)), frame)


def test_the_target_is_split_off_and_unlabelled_rows_dropped() -> None:
    features, labels = split_target(pd.DataFrame({"a": [1, 2, 3], "y": ["u", None, "v"]}), "y")
    assert_frame_equal(features, pd.DataFrame({"a": [1, 3]}))
    assert_series_equal(labels, pd.Series(["u", "v"], name="y"))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"a": [1]}), "no column 'y'"),
        (pd.DataFrame({"a": [1], "y": [None]}), "Every value of the target column 'y' is missing"),
        (pd.DataFrame({"y": [1]}), "no column beside the target"),
    ],
)
def test_a_target_that_cannot_be_used_is_refused(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(InvalidSample, match=message):
        split_target(frame, "y")
