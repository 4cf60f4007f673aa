"""Guards the reader of tables: one result whatever the format; headers without doubles."""

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.table_files import DataError, ending_of, read_rows
from tests.models.tables import HEADER, ROWS, write_table, write_text

NAMES = ["x.tsv", "x.TSV.gz", "x.csv", "x.csv.gz", "x.jsonl", "x.JSONL.gz", "x.parquet", "train"]


@pytest.mark.parametrize("name", NAMES)
def test_every_format_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    header, rows = read_rows(write_table(tmp_path / name, ROWS))
    assert header == HEADER
    assert [row for _, row in rows] == ROWS


@pytest.mark.parametrize("name", ["x", "x.json", "x.xlsx", "x.gz", "x.parquet.gz", "x.tsv.zip"])
def test_an_ending_that_is_not_read_is_named_with_those_that_are(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(DataError, match=r"must end in one of \.tsv, \.txt, \.csv, \.jsonl, \.par"):
        read_rows(write_text(tmp_path / name, "a\tb\n"))


def test_an_ending_is_found_below_that_of_gzip() -> None:
    endings = [ending_of(name) for name in ("a.b.TSV", "a.csv.gz", "a", ".tsv", "a.Parquet.GZ")]
    assert endings == [".tsv", ".csv", "", "", ".parquet.gz"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.tsv", "label\tfirst\tlabel\n1\ta\t0\n"),
        ("x.csv", "label,first,label\n1,a,0\n"),
    ],
)
def test_a_doubled_header_is_refused(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(DataError, match=r"line 1: more than one column is named 'label': 1, 3; "):
        read_rows(write_text(tmp_path / name, text))


def test_a_doubled_column_of_parquet_is_refused(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.Table.from_arrays([pyarrow.array(["a"])] * 2, names=["first", "first"])
    parquet.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"more than one column is named 'first': 1, 2"):
        read_rows(tmp_path / "x.parquet")


@given(
    content=st.binary(max_size=80),
    name=st.sampled_from(["x.tsv", "x.csv", "x.jsonl", "x.parquet", "x.tsv.gz"]),
    prefix=st.sampled_from([b"", b"first\tsecond\n", b"a,b\n", b'{"a": 1}\n', b"PAR1"]),
)
def test_any_bytes_are_rows_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str, prefix: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / name
    path.write_bytes(prefix + content)
    try:
        header, rows = read_rows(path, texts=("a",))
        assert all(len(row) == len(header) for _, row in rows)
    except DataError as error:
        assert str(path) in str(error)


@pytest.mark.parametrize("name", ["x.tsv", "x.csv.gz", "x.jsonl"])
def test_a_table_is_read_row_by_row_and_not_held(tmp_path: Path, name: str) -> None:
    path = write_table(tmp_path / name, [["one text " * 20, "another " * 20, "1"]] * 10_000)
    tracemalloc.start()
    _, rows = read_rows(path)
    assert sum(1 for _ in rows) == 10_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1e6  # of 3.5 MB of text
