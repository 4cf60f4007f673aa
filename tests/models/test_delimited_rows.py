"""Guards TSV and CSV: no row is lost, joined or bent, and quotation marks are never guessed."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.delimited_rows import Quoting, read_delimited
from models.text_lines import DataError

LETTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
CELL = st.one_of(st.text(LETTERS), st.text('a"\t,\n\r', max_size=6))
PLAIN_CELL = CELL.map(lambda text: text.translate(dict.fromkeys(map(ord, "\t\n\r"))))
HEADER = ["one", "two"]


def rows_of(path: Path, separator: str = "\t", quoting: Quoting | None = None) -> list[list[str]]:
    return [row for _, row in read_delimited(path, separator, quoting)]


def written(rows: list[list[str]], separator: str, quoting: int = csv.QUOTE_MINIMAL) -> str:
    text = io.StringIO()
    if any("\r" in cell for row in rows for cell in row):
        quoting = csv.QUOTE_ALL  # the minimal rule of Python 3.11 leaves out carriage returns
    csv.writer(text, delimiter=separator, quoting=quoting, lineterminator="\n").writerows(rows)  # pyright: ignore[reportArgumentType] - a constant of csv
    return text.getvalue()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rows") / "x.tsv"


@given(rows=st.lists(st.tuples(PLAIN_CELL, PLAIN_CELL).map(list)), end=st.sampled_from(["", "\r"]))
def test_any_cell_of_a_plain_tsv_comes_back(path: Path, rows: list[list[str]], end: str) -> None:
    lines = ["\t".join(row) + f"{end}\n" for row in [HEADER, *rows]]
    path.write_bytes("".join(lines).encode())
    assert rows_of(path, quoting="none") == [HEADER, *rows]


@given(rows=st.lists(st.tuples(CELL, CELL).map(list)), separator=st.sampled_from("\t,;|"))
def test_any_cell_in_quotation_marks_comes_back(
    path: Path, rows: list[list[str]], separator: str
) -> None:
    path.write_bytes(written([HEADER, *rows], separator).encode())
    assert rows_of(path, separator, "minimal") == [HEADER, *rows]


@given(
    rows=st.lists(st.tuples(CELL, CELL).map(list)),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_a_quoted_tsv_is_never_read_otherwise_in_silence(
    path: Path, rows: list[list[str]], quoting: int
) -> None:
    path.write_bytes(written([HEADER, *rows], "\t", quoting).encode())
    try:
        assert rows_of(path) == [HEADER, *rows]
    except DataError as error:
        assert "quoting: minimal" in str(error)


@given(content=st.binary(max_size=60), quoting=st.sampled_from([None, "none", "minimal"]))
def test_any_bytes_are_rows_of_one_width_or_an_error(
    path: Path, content: bytes, quoting: Quoting | None
) -> None:
    path.write_bytes(b"one\ttwo\n" + content)
    try:
        rows = rows_of(path, quoting=quoting)
    except DataError as error:
        assert str(path) in str(error)
    else:
        assert {len(row) for row in rows} == {2}
        if quoting == "none":
            lines = content.decode().split("\n")
            while lines and "\t" not in lines[-1] and not lines[-1].strip():
                lines.pop()
            assert len(rows) - 1 == len(lines)


@pytest.mark.parametrize(
    ("text", "line", "cell"),
    [
        ('one\ttwo\n"a, b"\tc\n', 2, '"a, b"'),  # as Excel writes a comma
        ('one\ttwo\nx\t"say ""hi"""\n', 2, '"say ""hi"""'),
        ('one\ttwo\nx\ty\n"a\nb"\tc\n', 3, '"a'),
        ('"one"\t"two"\n"x"\t"y"\n', 1, '"one"'),
        ('one\ttwo\n"say ""hi"""\tx\n"a" b\tc\n', 2, '"say ""hi"""'),  # one line is broken
    ],
)
def test_marks_around_cells_are_named_with_both_ways_out(
    tmp_path: Path, text: str, line: int, cell: str
) -> None:
    path = tmp_path / "x.tsv"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        rows_of(path)
    assert f"{path}: line {line}: the cell {cell!r} is in quotation marks" in str(caught.value)
    assert f"{tmp_path / 'columns.yaml'} the line quoting: minimal\n" in str(caught.value)
    assert "write quoting: none" in str(caught.value)


@pytest.mark.parametrize("cell", ['"I see," he said. "Well."', '"a" b', 'a "b"', '"', '"open'])
def test_marks_within_a_text_stay(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "x.tsv"
    path.write_text(f"one\ttwo\n{cell}\tb\nc\td\n")
    assert rows_of(path)[1] == [cell, "b"]


@pytest.mark.parametrize(
    ("text", "quoting", "message"),
    [
        ("one\ttwo\na\rb\tc\n", "none", "line 2: a carriage return stands within the line"),
        ("one\ttwo\na\rb\tc\n", "minimal", "line 2: a carriage return stands within the line"),
        ("one\ttwo\na\tb\n\nc\td\n", "none", "line 3: is blank; remove it"),
        ("one\ttwo\na\tb\n\n\nc\td\n", "minimal", "line 3: is blank; remove it"),
        ("one\ttwo\na\nb\tc\n", "none", "line 2: must have 2 columns, as the header has, got 1"),
        ("one\ttwo\na\nb\tc\n", "none", "does a text contain a line break, or is the file cut"),
        ("one\ttwo\na\tb\tc\n", "none", "got 3; does a text contain a tab?"),
        ('one\ttwo\n"a\tb\tc\n', "none", "are cells in quotation marks, and one of them broken?"),
        ('one\ttwo\nx\ty\n"a\tb\n', "minimal", "line 3: a quotation mark opens a cell and none"),
        ('one\ttwo\n"a" b\tc\n', "minimal", "line 2: a quotation mark within a cell must be dou"),
    ],
)
def test_a_broken_line_is_named_with_what_is_wrong(
    tmp_path: Path, text: str, quoting: Quoting, message: str
) -> None:
    path = tmp_path / "x.tsv"
    path.write_bytes(text.encode())
    with pytest.raises(DataError) as caught:
        rows_of(path, quoting=quoting)
    assert message in str(caught.value)


def test_a_cell_that_is_never_closed_is_named_however_long(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('one,two\n"a,b\n' + "c,d\n" * 50_000)
    with pytest.raises(DataError, match="line 2: a cell is longer than 131,072 characters"):
        rows_of(path, ",", "minimal")


@pytest.mark.parametrize("quoting", ["none", "minimal"])
def test_blank_lines_at_the_end_are_no_rows(tmp_path: Path, quoting: Quoting) -> None:
    path = tmp_path / "x.tsv"
    path.write_text("one\ttwo\na\tb\n\n  \n")
    assert rows_of(path, quoting=quoting) == [HEADER, ["a", "b"]]


def test_a_row_has_the_number_of_its_first_line(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('one,two\n"a\nb",c\nd,e\n')
    assert [line for line, _ in read_delimited(path, ",", "minimal")] == [1, 2, 4]
