"""Guards ``columns.yaml``: its problems in words, and the way out of an absent column."""

import re
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
        ("separator: ' '", 'separator: must be one of "\\t", ",", ";", "|", got \' \''),
        ("separator: '\\t'", 'separator: must be one of "\\t", ",", ";", "|", got \'\\\\t\''),
        ("separator: [';']", "separator: must be one of"),
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


@pytest.mark.parametrize(
    "name", ["columns.yml", "COLUMNS.YAML", "Column.Yml", "columns.yaml.txt", "column.yaml"]
)
def test_a_file_with_nearly_the_right_name_is_not_passed_over(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("first: a\n")
    with pytest.raises(DataError, match=f"{re.escape(name)}: must be named columns\\.yaml"):
        read_columns(tmp_path)


def test_a_link_to_nowhere_and_a_folder_are_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "columns.yaml"
    path.symlink_to("nowhere")
    with pytest.raises(DataError, match=r"columns\.yaml: cannot be read: No such file"):
        read_columns(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match=r"columns\.yaml: cannot be read: Is a directory"):
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


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_another_separator_behind_a_quoted_name_is_recognised(
    tmp_path: Path, separator: str
) -> None:
    names = [f'"{name}"' for name in ("first", 'the ""2nd""', "label")]
    cells = [['"a, b"', '"c"', "1"], ['"d"', '"e"', "0"]]
    text = "".join(separator.join(row) + "\r\n" for row in [names, *cells])
    path = write_text(tmp_path / "x.csv", text)
    with pytest.raises(
        DataError, match=r"line 1: if .* stands between its cells, write"
    ) as caught:
        read_rows(path)
    columns = columns_of(tmp_path, str(caught.value).partition(" the line ")[2])
    assert columns.separator == separator
    _, rows = read_rows(path, separator=separator)
    assert [row for _, row in rows] == [["a, b", "c", "1"], ["d", "e", "0"]]


@pytest.mark.parametrize("separator", [None, ";", ","])
def test_the_line_that_excel_alone_reads_is_named(tmp_path: Path, separator: str | None) -> None:
    path = write_text(tmp_path / "x.csv", "sep=;\r\nfirst;second;label\r\na;b;1\r\n")
    header, _ = read_rows(path, separator=separator)
    with pytest.raises(DataError, match=r"'sep=.*remove this line, which only Excel reads"):
        find_columns(path, header, USUAL.roles())


@pytest.mark.parametrize("name", ["x.tsv", "x.csv", "x.jsonl", "x.tsv.gz"])
@pytest.mark.parametrize("text", ["", "\n", "\ufeff", "\nfirst,second,label\n"])
def test_a_file_without_a_header_is_named(tmp_path: Path, name: str, text: str) -> None:
    if name == "x.jsonl":
        text = text.partition("f")[0]
    path = write_text(tmp_path / name, text)
    header, _ = read_rows(path)
    with pytest.raises(DataError, match=r": is empty or begins blank; line 1 must name the col"):
        find_columns(path, header, USUAL.roles())


def test_an_absent_column_has_the_line_that_would_name_it(tmp_path: Path) -> None:
    path = tmp_path / "PARADE_test.tsv"
    with pytest.raises(
        DataError, match=r"no column 'first', 'second', got 'Entity', 'Definition1'"
    ) as told:
        find_columns(path, ["Entity", "Definition1"], USUAL.roles(("first", "second")))
    assert str(told.value).endswith(
        f"{tmp_path / 'columns.yaml'} can name others, in lines as 'first: COLUMN'"
    )
