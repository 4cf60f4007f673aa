"""Guards ``columns.yaml``: its problems in words, and the way out of an absent column."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.columns import Columns, DataError, find_columns, read_columns
from models.table_files import read_rows
from tests.models.tables import write_text

USUAL = Columns.model_validate({})


def columns_of(folder: Path, text: str) -> Columns:
    (folder / "columns.yaml").write_text(text, encoding="utf-8")
    return read_columns(folder)


def test_without_a_file_the_usual_names_hold(tmp_path: Path) -> None:
    assert read_columns(tmp_path) == columns_of(tmp_path, "# nothing\n") == USUAL
    assert USUAL.roles() == {
        "first": "first",
        "second": "second",
        "label": "label",
    }


def test_a_file_can_say_how_a_table_is_written(tmp_path: Path) -> None:
    text = 'labels: {1: ["True"], 0: ["False", "x"]}\nquoting: minimal\nseparator: "\\t"\n'
    found = columns_of(tmp_path, text)
    assert found.labels == {1: ["True"], 0: ["False", "x"]}
    assert (found.quoting, found.separator) == ("minimal", "\t")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("labels: {1: [], 0: [a]}", "labels: must have words for both 1 and 0"),
        ("labels: {1: [a]}", "labels: must have words for both 1 and 0"),
        ("labels: {1: [a, b], 0: [b]}", "must not have a word for both 1 and 0, got ['b']"),
        ("labels: {1: [a], 2: [b]}", "labels.2: must be 1 or 0, got 2"),
        ("labels: {1: [True], 0: ['0']}", "labels.1[0]: must be text, got True (YAML reads"),
        ("labels: {1: [1.0], 0: ['0']}", "labels.1[0]: must be text, got 1.0 (put it in quotes)"),
        ("labels: yes", "labels: must be a mapping of keys to values, got True"),
        ("quoting: all", "quoting: must be 'none' or 'minimal', got the text 'all'"),
        ("separator: ' '", "separator: must be '\\t', ',', ';' or '|', got the text ' '"),
        ("first: label", "must name a column of its own for each key, got ['label', 'second'"),
        ("group: ''", "group: must not be empty"),
        ("[a]", "the file: must be a mapping of keys to values"),
        ("seperator: ','", "seperator: unknown key; did you mean separator?"),
    ],
)
def test_a_wrong_file_is_reported_in_words(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        columns_of(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'columns.yaml'}:\n")
    assert message in str(caught.value)


def test_a_file_with_nearly_the_right_name_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "columns.yml").write_text("first: a\n")
    with pytest.raises(DataError, match=r"columns\.yml: must be named columns\.yaml"):
        read_columns(tmp_path)


@given(content=st.binary(max_size=60))
def test_any_bytes_are_columns_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "columns.yaml").write_bytes(content)
    try:
        read_columns(folder)
    except DataError as error:
        assert "columns.yaml" in str(error)


@pytest.mark.parametrize(
    ("name", "text", "written"),
    [
        ("x.csv", "first;second;label\na, b;c;1\n", 'separator: ";"'),
        ("x.csv", "first\tsecond\tlabel\na\tc\t1\n", 'separator: "\\t"'),
        ("x.tsv", "first,second,label\na,c,1\n", 'separator: ","'),
        ("x.tsv", "first|second|label\na|c|1\n", 'separator: "|"'),
    ],
)
def test_another_separator_is_recognised_and_the_line_that_reads_it_works(
    tmp_path: Path, name: str, text: str, written: str
) -> None:
    path = write_text(tmp_path / name, text)
    header, _ = read_rows(path)
    with pytest.raises(DataError) as caught:
        find_columns(path, header, USUAL.roles())
    assert str(caught.value).endswith(f"{tmp_path / 'columns.yaml'} the line {written}")
    columns = columns_of(tmp_path, written)
    header, rows = read_rows(path, separator=columns.separator)
    assert find_columns(path, header, columns.roles()) == {"first": 0, "second": 1, "label": 2}
    assert [len(row) for _, row in rows] == [3]


def test_an_absent_column_is_named_with_those_that_exist(tmp_path: Path) -> None:
    message = r"line 1: no column 'second', got 'first', 'label', '1'; .*columns\.yaml can name"
    with pytest.raises(DataError, match=message):
        find_columns(tmp_path / "x.tsv", ["first", "label", "1"], USUAL.roles())
