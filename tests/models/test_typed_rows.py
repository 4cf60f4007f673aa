"""Guards JSON lines, Parquet and saved splits: cells as text, unchanged, or named."""

import json
import math
from pathlib import Path

import pandas as pd
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from models.table_files import read_rows
from models.text_lines import DataError
from models.typed_rows import read_json_lines, read_parquet, read_saved
from tests.models.tables import frame_of, write_saved

VALUE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.lists(st.text(), max_size=2),
)


def json_rows(path: Path, text: str, texts: tuple[str, ...] = ()) -> list[list[str]]:
    path.write_text(text, encoding="utf-8")
    return [row for _, row in read_json_lines(path, texts)]


def test_cells_of_json_are_text_as_they_are_written(tmp_path: Path) -> None:
    first = '{"a": "007", "b": 1.10, "c": null, "d": true, "e": [1, "é"], "f": NaN}'
    second = '{"b": 12345678901234567890123, "a": " x", "d": false, "c": "", "e": {}, "f": "NaN"}'
    assert json_rows(tmp_path / "x.jsonl", f"{first}\n{second}\n\n") == [
        ["a", "b", "c", "d", "e", "f"],
        ["007", "1.10", "", "True", '["1", "é"]', ""],
        [" x", "12345678901234567890123", "", "False", "{}", "NaN"],
    ]


@given(records=st.lists(st.fixed_dictionaries({"a": VALUE, "b": VALUE}), min_size=1))
def test_any_json_gives_a_row_each_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, object]]
) -> None:
    path = tmp_path_factory.mktemp("any") / "x.jsonl"
    text = "".join(json.dumps(record) + "\n" for record in records)
    try:
        rows = json_rows(path, text)[1:]
    except DataError as error:
        assert "half of a character" in str(error)
        return
    assert len(rows) == len(records)
    for row, record in zip(rows, records, strict=True):
        cells = zip(row, (record[name] for name in records[0]), strict=True)
        assert all(cell == value for cell, value in cells if isinstance(value, str))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1}\n{"a": 1, "b": 2}\n', "line 2: must have the keys of the first line"),
        ('{"a": 1}\n{"b": 1}\n', "only one has 'a', 'b'"),
        (
            '{"a": 1, "a": 2}\n',
            "a whole JSON object: a key is repeated, got 'a', 'a'",
        ),
        ('[{"a": 1}]\n', "line 1: must be a JSON object, as"),
        ('{"a": 1\n', "line 1: must be a whole JSON object: Expecting"),
        ("[" * 99_999 + "\n", "line 1: must be a whole JSON object: maximum rec"),
        ('{"a": 1}\n\n{"a": 1}\n', "line 2: is blank; remove it"),
        ('{"a": ["x"]}\n', "line 1: a: must be text or a number, got "),
        ('{"a": "\\ud800"}\n', "line 1: a: half of a character"),
    ],
)
def test_a_broken_line_of_json_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        json_rows(tmp_path / "x.jsonl", text, ("a",))
    assert str(caught.value).startswith(f"{tmp_path / 'x.jsonl'}: line ")
    assert message in str(caught.value)


FRAME = pd.DataFrame(
    {
        "text": ["007", None, "NA"],
        "number": [1, 2, 3],
        "share": [1.0, 0.5, 2.0],
        "truth": [True, False, True],
        "bytes": [b"abc", b"\xc3\xa9", b"\xff"],
    }
)
CELLS = [
    ["007", "1", "1.0", "True", "abc"],
    ["", "2", "0.5", "False", "é"],
    ["NA", "3", "2.0", "True", "\"b'\\\\xff'\""],
]


def test_cells_of_parquet_and_of_a_saved_split_are_the_same_text(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    FRAME.to_parquet(path)
    saved = write_saved(tmp_path / "train", FRAME, files=2)
    for rows in (list(read_parquet(path, ())), list(read_saved(saved, ()))):
        assert [number for number, _ in rows] == [0, 1, 2, 3]
        assert [row for _, row in rows] == [list(FRAME.columns), *CELLS]


def test_shards_are_read_in_order_and_none_may_be_absent(tmp_path: Path) -> None:
    for number in range(3):
        frame_of([[f"a{number}", "b", "1"]]).to_parquet(
            tmp_path / f"x-{number:05}-of-00003.parquet"
        )
    whole = tmp_path / "x-*-of-00003.parquet"
    assert [row[0] for _, row in read_parquet(whole, ())] == ["first", "a0", "a1", "a2"]
    (tmp_path / "x-00001-of-00003.parquet").unlink()
    with pytest.raises(DataError, match=r"must be 3 files, without x-00001-of-00003\.parquet"):
        list(read_parquet(whole, ()))


def test_files_of_one_table_must_have_the_same_columns(tmp_path: Path) -> None:
    for number, name in enumerate(["first", "other"]):
        pd.DataFrame({name: ["a"]}).to_parquet(tmp_path / f"x-{number:05}-of-00002.parquet")
    with pytest.raises(DataError, match="all its files must have the same columns"):
        list(read_parquet(tmp_path / "x-*-of-00002.parquet", ()))


def test_no_number_is_a_missing_value_as_in_json(tmp_path: Path) -> None:
    table = pyarrow.table({"first": ["a"], "group": pyarrow.array([math.nan])})
    parquet.write_table(table, tmp_path / "x.parquet")
    assert list(read_parquet(tmp_path / "x.parquet", ()))[1] == (1, ["a", ""])


@pytest.mark.parametrize("name", ["x.parquet", "x-*-of-00001.parquet", "train"])
def test_a_pointer_of_git_lfs_is_named(tmp_path: Path, name: str) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    if name == "train":
        (write_saved(tmp_path / name, FRAME) / "data-00000-of-00001.arrow").write_bytes(pointer)
    else:
        (tmp_path / name.replace("*", "00000")).write_bytes(pointer)
    with pytest.raises(DataError, match="is a pointer of Git LFS, not the file itself"):
        read_rows(tmp_path / name)


def test_a_value_that_python_does_not_hold_is_no_fault_of_the_format(tmp_path: Path) -> None:
    table = pyarrow.table({"first": ["a"], "day": pyarrow.array([10**7], pyarrow.date32())})
    parquet.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"x\.parquet: a value from row 1 on cannot be read: date"):
        list(read_parquet(tmp_path / "x.parquet", ()))


def test_lists_are_no_texts(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    table = pyarrow.table({"first": [["a", "b"]], "tags": [["c"]]})
    parquet.write_table(table, path)
    assert list(read_parquet(path, ("other",)))[1] == (1, ['["a", "b"]', '["c"]'])
    with pytest.raises(DataError, match=r"row 1: first: must be text or a number, got"):
        list(read_parquet(path, ("first",)))


@pytest.mark.parametrize("state", ["", "[]", "{}", '{"_data_files": 3}', '{"_data_files": [1]}'])
def test_a_folder_that_is_no_saved_split_is_named(tmp_path: Path, state: str) -> None:
    (tmp_path / "state.json").write_text(state)
    with pytest.raises(DataError, match="must hold a split as datasets saves it"):
        list(read_saved(tmp_path, ()))


def test_a_saved_split_that_is_damaged_or_chosen_by_indices_is_named(tmp_path: Path) -> None:
    folder = write_saved(tmp_path / "train", FRAME)
    state = json.loads((folder / "state.json").read_text())
    (folder / "data-00000-of-00001.arrow").write_bytes(b"not Arrow")
    with pytest.raises(DataError, match="train: is not an Arrow file: "):
        list(read_saved(folder, ()))
    (folder / "data-00000-of-00001.arrow").unlink()
    with pytest.raises(DataError, match="train: cannot be read"):
        list(read_saved(folder, ()))
    state["_indices_data_files"] = [{"filename": "indices.arrow"}]
    (folder / "state.json").write_text(json.dumps(state))
    with pytest.raises(DataError, match=r"state\.json: rows are chosen by a second file"):
        list(read_saved(folder, ()))
