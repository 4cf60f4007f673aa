"""Guards files of pairs: every cell that is read is written, whatever the text and the form."""

import csv
import json
import tempfile
from contextlib import suppress
from pathlib import Path

import pyarrow
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pyarrow import parquet

from models.cleaning import clean
from models.columns import read_columns
from models.pair_files import ADDED, ENDINGS, check_form, read_pairs, replacing, write_answers
from models.table_files import DataError, read_rows
from tuning.config.experiment import Cleaning
from tuning.data.pairs import read_table

CELL = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["null", "NA", "None", "0012", "1.10", '"', 'a "b"', '"a"', "a\tb", "a\nb", "a\rb", "a;b,c"]
)
NAME = CELL.filter(lambda name: name not in ("", "first", "second", *ADDED))
HEADER = st.lists(NAME, max_size=2, unique=True).map(lambda more: [*more, "first", "second"])
TABLE = HEADER.flatmap(
    lambda header: st.tuples(
        st.just(header),
        st.lists(st.lists(CELL, min_size=len(header), max_size=len(header)), max_size=4),
    )
)
Table = tuple[list[str], list[list[str]]]


def write(path: Path, table: Table) -> Path:
    """Write a table in the form that its name tells, as other programs write it."""
    header, rows = table
    columns = [[row[n] for row in rows] for n in range(len(header))]
    match path.suffix:
        case ".csv":
            with path.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file, quoting=csv.QUOTE_ALL).writerows([header, *rows])
        case ".jsonl":
            lines = [json.dumps(dict(zip(header, row, strict=True))) for row in rows]
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        case _:
            arrays = [pyarrow.array(column, pyarrow.string()) for column in columns]
            parquet.write_table(pyarrow.table(arrays, header), path)
    return path


def read(path: Path) -> Table:
    header, rows = read_rows(path)
    return header, [row for _, row in rows]


@given(TABLE, st.sampled_from([".csv", ".jsonl", ".parquet"]))
def test_every_cell_comes_back_in_every_form(table: Table, source: str) -> None:
    header, rows = table
    assume(rows or source != ".jsonl")  # it has no header
    with tempfile.TemporaryDirectory() as name:
        pairs = read_pairs(write(Path(name, f"in{source}"), table))
        assert (pairs.header, pairs.rows) == table
        for target in ENDINGS:
            output = Path(name, f"out{target}")
            try:
                check_form(output, pairs)
            except DataError:  # a text file of plain cells cannot hold these
                assert target == ".tsv"
                cells = "".join(cell for row in [header, *rows] for cell in row)
                assert any(mark in cells for mark in '\t\r\n"')
                continue
            write_answers(output, pairs, [(0.1, True)] * len(rows))
            if rows or target != ".jsonl":
                found = [[*header, *ADDED], [[*row, "0.1", "True"] for row in rows]]
                assert list(read(output)) == found


@pytest.mark.parametrize("quoting", ["none", "minimal"])
@pytest.mark.parametrize("separator", ['"\\t"', '";"'])
def test_a_text_file_is_written_as_the_file_beside_it_says(
    tmp_path: Path, quoting: str, separator: str
) -> None:
    table = (["first", "second", "id"], [['"a" b', 'c "', "0012"], ["d", '"e"', "x, y"]])
    source = write(tmp_path / "in.parquet", table)
    (tmp_path / "columns.yaml").write_text(f"quoting: {quoting}\nseparator: {separator}\n")
    pairs, output = read_pairs(source), tmp_path / "out.tsv"
    check_form(output, pairs)
    write_answers(output, pairs, [(0.5, True), (0.25, False)])
    found = read_pairs_again(output)
    assert found == [[*table[1][0], "0.5", "True"], [*table[1][1], "0.25", "False"]]


def read_pairs_again(path: Path) -> list[list[str]]:
    """Return the rows of an output, renaming what was added so that it is an input again."""
    text = path.read_text(encoding="utf-8").replace("probability", "p", 1)
    path.write_text(text.replace("paraphrase", "q", 1), encoding="utf-8")
    return read_pairs(path).rows


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (
            "a\tb",
            "line 3: must have 4 columns, as the header has, got 5; does a text contain a tab?",
        ),
        ("a\nb", "line 3: must have 4 columns"),
        ("a\rb", "line 3: a carriage return stands within the line"),
        ('"a ""b"""', "is in quotation marks"),
    ],
)
def test_a_text_that_a_tsv_file_cannot_hold_is_refused(
    tmp_path: Path, cell: str, reason: str
) -> None:
    source = write(tmp_path / "in.jsonl", (["first", "second"], [["a", "b"], ["c", cell]]))
    with pytest.raises(DataError, match=r"cannot be written as \.tsv") as caught:
        check_form(tmp_path / "out.tsv", read_pairs(source))
    assert reason in str(caught.value)
    assert str(caught.value).endswith("write .jsonl or .parquet")
    assert "out.tsv" not in str(caught.value).split("\n")[0]


def test_the_types_of_a_parquet_file_are_kept(tmp_path: Path) -> None:
    columns = {"first": [1, 2], "second": ["a", "b"], "id": [None, 7], "more": [[1], []]}
    table = pyarrow.table(columns)
    parquet.write_table(table, tmp_path / "in.parquet")
    pairs = read_pairs(tmp_path / "in.parquet")
    assert pairs.texts("first") == ["1", "2"]
    assert pairs.name_of(2) == f"{tmp_path / 'in.parquet'}: row 2"
    write_answers(tmp_path / "out.parquet", pairs, [(0.5, True), (0.25, False)])
    found = parquet.read_table(tmp_path / "out.parquet")
    assert found.select(list(columns)) == table
    assert found.column("probability").to_pylist() == [0.5, 0.25]
    assert found.column("paraphrase").to_pylist() == [True, False]


def test_the_shards_of_a_parquet_file_come_back_as_one(tmp_path: Path) -> None:
    for n in range(2):
        table = pyarrow.table({"first": [f"a{n}"], "second": ["b"], "id": [n]})
        parquet.write_table(table, tmp_path / f"in-0000{n}-of-00002.parquet")
    pairs = read_pairs(tmp_path / "in-*-of-00002.parquet")
    write_answers(tmp_path / "out.parquet", pairs, [(0.5, True), (0.25, False)])
    found = parquet.read_table(tmp_path / "out.parquet")
    assert found.column("id").to_pylist() == [0, 1]


def test_a_loop_of_links_is_replaced_as_any_file(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.symlink_to("out.csv")
    with replacing(path) as beside:
        beside.write_text("new")
    assert path.read_text() == "new"


def test_lines_of_json_stay_as_they_are(tmp_path: Path) -> None:
    lines = [
        '{"id": 1.10, "first": "\\u00e9", "second": "b", "more": [1,2]}',
        '{"second":"d","first":"c","id":1e5,"more":null} ',
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    pairs = read_pairs(tmp_path / "in.jsonl")
    assert pairs.texts("first") == ["é", "c"]
    write_answers(tmp_path / "out.jsonl", pairs, [(0.5, True), (0.25, False)])
    first, second = (tmp_path / "out.jsonl").read_text().splitlines()
    assert first == lines[0][:-1] + ', "probability": 0.5, "paraphrase": true}'
    assert second == lines[1][:-2] + ', "probability": 0.25, "paraphrase": false}'


@pytest.mark.parametrize("name", ADDED)
def test_a_column_that_the_output_gets_is_refused(tmp_path: Path, name: str) -> None:
    source = write(tmp_path / "in.csv", (["first", "second", name], [["a", "b", "c"]]))
    with pytest.raises(DataError, match=f"must have no column '{name}', which the output gets"):
        read_pairs(source)


def test_a_file_is_replaced_only_when_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old")
    with suppress(KeyboardInterrupt), replacing(path) as beside:
        beside.write_text("half")
        raise KeyboardInterrupt
    assert [each.name for each in tmp_path.iterdir()] == ["out.csv"]
    assert path.read_text() == "old"
    with replacing(path) as beside:
        beside.write_text("new")
    assert path.read_text() == "new"


BASES = {
    ".csv": b'first,second,label\n"a ""b""",c,1\nd,"e,f",0\n',
    ".tsv": b'first\tsecond\tlabel\na b\tc\t1\nd\t"e\t0\n',
    ".jsonl": b'{"first": "a", "second": "b", "label": 1}\n'
    b'{"first": 7, "label": 0, "second": "d"}\n',
}


@given(
    st.sampled_from(sorted(BASES)),
    st.floats(0, 1),
    st.integers(0, 3),
    st.binary(max_size=4) | st.sampled_from([b"\n", b"\r", b"\t", b'"', b",", b"first"]),
)
def test_training_and_prediction_read_a_file_alike(
    ending: str, place: float, cut: int, inserted: bytes
) -> None:
    base, cleaning = BASES[ending], Cleaning()
    at = int(place * len(base))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"pairs{ending}")
        path.write_bytes(base[:at] + inserted + base[at + cut :])
        try:
            trained = read_table(path, read_columns(path.parent), cleaning)
        except DataError:  # training needs labels too
            with suppress(DataError):
                read_pairs(path)
            return
        predicted = read_pairs(path)
    steps = cleaning.model_dump()
    for side, texts in (("first", trained.first), ("second", trained.second)):
        assert texts == [clean(text, steps) for text in predicted.texts(side)]
    assert trained.lines == predicted.lines


@pytest.mark.parametrize(
    ("ending", "content"),
    [
        (".tsv", b"first\tsecond\tlabel\na\tb\t1\nc\td\te\t0\n"),
        (".tsv", b'first\tsecond\tlabel\n"a ""b"""\tc\t1\nd\te\t0\n'),
        (".csv", b"first,second,label\na,b\xff,1\n"),
        (".csv", b'first,second,label\na,"b,1\n'),
        (".csv", b"first,second,label,first\na,b,1,c\n"),
        (".csv", b"first;second;label\na;b;1\n"),
        (".jsonl", b'{"first": "a", "second": ["b"], "label": 1}\n'),
        (".xlsx", b"PK\x03\x04"),
    ],
)
def test_what_training_refuses_prediction_refuses_in_the_same_words(
    tmp_path: Path, ending: str, content: bytes
) -> None:
    path, messages = tmp_path / f"pairs{ending}", []
    path.write_bytes(content)
    for read in (read_pairs, lambda path: read_table(path, read_columns(tmp_path), Cleaning())):
        with pytest.raises(DataError) as caught:
            read(path)
        messages.append(
            str(caught.value).replace("'first', 'second', 'label'", "'first', 'second'")
        )
    assert messages[0] == messages[1]
