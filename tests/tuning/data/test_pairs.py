"""Guards the reading of pairs: three formats, and bad files named with line, rule and value."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.table_files import DataError
from tests.models.tables import write_table
from tuning.config.experiment import Cleaning
from tuning.data.pairs import SPLITS, read_pairs
from tuning.system.project import EMBEDDED

ROWS = [
    ("a stack grows", "it grows", "1", "stack", "3"),
    ("a queue waits", "lines up", "0", "queue", "1"),
    ('says "hi"', "greets", "1", "hello", "2"),
]
BROUGHT = [["a stack grows", "it grows", "1"], ["a queue waits", "lines up", "0"]]
HEADER = ("first", "second", "label", "topic", "ayes")
MAPPING = "group: topic\nvotes: ayes\n"


def write(folder: Path, ending: str = "tsv", columns: str = MAPPING) -> Path:
    frame = pd.DataFrame(ROWS, columns=list(HEADER))
    for split in SPLITS:
        path = folder / f"{split}.{ending}"
        if ending == "parquet":
            frame.astype({"label": int, "ayes": int}).to_parquet(path)
        elif ending == "csv":
            frame.to_csv(path, index=False)
        else:
            lines = ["\t".join(row) for row in [HEADER, *ROWS]]
            path.write_text("\n".join(lines) + "\n")
    (folder / "columns.yaml").write_text(columns)
    return folder


@pytest.mark.parametrize("ending", ["tsv", "csv", "parquet"])
def test_every_format_gives_the_same_pairs(tmp_path: Path, ending: str) -> None:
    data = read_pairs(write(tmp_path, ending), Cleaning())
    table = data.splits["train"]
    assert table.first == ["a stack grows", "a queue waits", 'says "hi"']
    assert table.labels.tolist() == [1, 0, 1]
    assert table.votes.tolist() == pytest.approx([1, 1 / 3, 2 / 3])
    assert table.groups == ["stack", "queue", "hello"]
    assert data.has_votes


def test_the_fingerprint_is_of_the_content_and_not_of_the_format(tmp_path: Path) -> None:
    folders = [tmp_path / ending for ending in ("tsv", "csv", "parquet")]
    for folder in folders:
        folder.mkdir()
    found = {read_pairs(write(folder, folder.name), Cleaning()).fingerprint for folder in folders}
    assert len(found) == 1
    path = tmp_path / "tsv/test.tsv"
    path.write_text(path.read_text().replace("greets", "greet"))
    assert read_pairs(tmp_path / "tsv", Cleaning()).fingerprint not in found


def test_the_embedded_pairs_are_what_their_card_says() -> None:
    data = read_pairs(EMBEDDED / "pairs", Cleaning())
    sizes = {split: (len(t.first), t.labels.mean()) for split, t in data.splits.items()}
    share = pytest.approx(6 / 14)
    assert sizes == {"train": (1400, share), "validation": (280, share), "test": (420, share)}
    terms = [set(table.groups) for table in data.splits.values()]
    assert len(set.union(*terms)) == sum(map(len, terms)) == 150


def spoil(folder: Path, old: str, new: str) -> Path:
    path = write(folder) / "validation.tsv"
    path.write_bytes(path.read_bytes().replace(old.encode(), new.encode("latin-1")))
    return folder


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("it grows\t1", "it grows\t2", "line 2: label: must be 0 or 1, got '2'"),
        (
            "lines up\t0\tqueue",
            "lines up\tqueue",
            "line 3: must have 5 columns, as the header has, got 4",
        ),
        ("a stack grows", "  ", "line 2: first: must not be empty"),
        (
            "a stack grows",
            " * ",
            "line 2: first: cleaning left nothing of ' * '; remove the line, or keep such "
            "texts with --set cleaning.bullets=false",
        ),
        ("stack\t3", "stack\t4", "line 2: ayes: must be a whole number from 0 to 3, got '4'"),
        ("stack\t3", "stack\tx", "line 2: ayes: must be a whole number from 0 to 3, got 'x'"),
        ("second", "other", "line 1: no column 'second', got 'first', 'other', 'label'"),
        ("a queue", "a qu\xff", "line 3: must be UTF-8, got the byte 0xff"),
        ("lines up\t0", "lines up\t1", "label: must have both 0 and 1, got only 1"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read_pairs(spoil(tmp_path, old, new), Cleaning())
    assert f"{tmp_path / 'validation.tsv'}: {message}" in str(caught.value)


def test_only_the_first_problems_are_reported(tmp_path: Path) -> None:
    folder = write(tmp_path)
    lines = ["\t".join(HEADER), *["\t\t5\tx\t1"] * 9]
    (folder / "train.tsv").write_text("\n".join(lines))
    with pytest.raises(DataError) as caught:
        read_pairs(folder, Cleaning())
    assert len(str(caught.value).split("\n")) == 6
    assert str(caught.value).endswith("... and more")


def test_a_file_cut_off_in_a_line_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path) / "train.tsv"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"line 4: must have 5 columns.*is the file cut off"):
        read_pairs(tmp_path, Cleaning())


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (write(tmp_path) / "train.tsv").write_text("")
    with pytest.raises(DataError, match=r"train.tsv: is empty or begins blank"):
        read_pairs(tmp_path, Cleaning())


def test_a_header_alone_is_refused(tmp_path: Path) -> None:
    (write(tmp_path) / "train.tsv").write_text("\t".join(HEADER))
    with pytest.raises(DataError, match="must have both 0 and 1, got no row"):
        read_pairs(tmp_path, Cleaning())


def test_a_missing_split_is_named(tmp_path: Path) -> None:
    (write(tmp_path) / "test.tsv").unlink()
    with pytest.raises(DataError, match=r"test is missing; it must be named test and end in"):
        read_pairs(tmp_path, Cleaning())


def test_a_split_with_two_files_is_named(tmp_path: Path) -> None:
    write(tmp_path, "csv")
    with pytest.raises(DataError, match=r"train: could be any of train.csv, train.tsv; leave"):
        read_pairs(write(tmp_path), Cleaning())


def test_a_wrong_mapping_is_reported_in_words(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_pairs(write(tmp_path, columns="frist: a\nvoters: 0\n"), Cleaning())
    assert "frist: unknown key; did you mean first?" in str(caught.value)
    assert "voters: must be at least 1, got 0" in str(caught.value)


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    (write(tmp_path, "parquet") / "train.parquet").write_bytes(b"PAR1 not")
    with pytest.raises(DataError, match=r"train.parquet: is not a Parquet file"):
        read_pairs(tmp_path, Cleaning())


def test_an_altered_parade_file_is_named_with_both_checksums(tmp_path: Path) -> None:
    (tmp_path / "PARADE_train.txt").write_text("altered")
    with pytest.raises(DataError) as caught:
        read_pairs(tmp_path, Cleaning())
    assert "PARADE_train.txt: sha256 must be c763561a7e6e2ec2" in str(caught.value)
    assert "with --data FOLDER" in str(caught.value)


FORMS = [
    ("train.jsonl", "dev.tsv", "test.csv.gz"),
    ("TRAIN.TSV", "val.CSV", "Test.Parquet"),
    ("train.tsv.gz", "valid.jsonl.gz", "test.jsonl"),
    ("train-00000-of-00001.parquet", "validation.parquet", "test-00000-of-00001.parquet"),
    ("train", "validation", "test"),
]


@pytest.mark.parametrize("names", FORMS, ids=lambda names: names[0])
def test_what_people_bring_gives_the_same_pairs(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        write_table(tmp_path / name, BROUGHT)
    usual = tmp_path / "usual"
    usual.mkdir()
    for split in SPLITS:
        write_table(usual / f"{split}.tsv", BROUGHT)
    found, expected = read_pairs(tmp_path, Cleaning()), read_pairs(usual, Cleaning())
    assert found.fingerprint == expected.fingerprint
    assert found.splits["test"].first == ["a stack grows", "a queue waits"]


def test_the_fingerprint_of_the_embedded_pairs_is_that_of_earlier_versions() -> None:
    assert read_pairs(EMBEDDED / "pairs", Cleaning()).fingerprint == "828941626ad42497"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["True", "False"], 'labels: {1: ["True"], 0: ["False"]}'),
        (["1.0", "0.0"], 'labels: {1: ["1.0"], 0: ["0.0"]}'),
        ([" 1", "0"], 'labels: {1: [" 1"], 0: ["0"]}'),
        (["yes", "no"], 'labels: {1: ["yes"], 0: ["no"]}'),
    ],
)
def test_the_line_that_a_message_shows_reads_the_labels(
    tmp_path: Path, words: list[str], line: str
) -> None:
    for split in SPLITS:
        rows = [[*row[:2], word] for row, word in zip(BROUGHT, words, strict=True)]
        write_table(tmp_path / f"{split}.tsv", rows)
    with pytest.raises(DataError) as caught:
        read_pairs(tmp_path, Cleaning())
    assert f"label: must be 0 or 1, got {words[0]!r}" in str(caught.value)
    assert str(caught.value).endswith(f"write into columns.yaml the line {line}")
    (tmp_path / "columns.yaml").write_text(line)
    assert read_pairs(tmp_path, Cleaning()).splits["train"].labels.tolist() == [1, 0]


def test_words_whose_meaning_is_unknown_are_left_to_the_user(tmp_path: Path) -> None:
    words = ["entailment", "neutral"]
    for split in SPLITS:
        rows = [[*row[:2], word] for row, word in zip(BROUGHT, words, strict=True)]
        write_table(tmp_path / f"{split}.jsonl", rows)
    line = 'labels: {1: [], 0: ["entailment", "neutral"]}'
    with pytest.raises(DataError) as caught:
        read_pairs(tmp_path, Cleaning())
    assert str(caught.value).endswith(f"the line {line} and move those of a paraphrase to 1")
    (tmp_path / "columns.yaml").write_text(line)
    with pytest.raises(DataError, match="labels: must have words for both 1 and 0"):
        read_pairs(tmp_path, Cleaning())
    (tmp_path / "columns.yaml").write_text("labels: {1: [entailment], 0: [contradiction]}")
    message = "must be one of 'entailment', 'contradiction', as columns.yaml says, got 'neutral'"
    with pytest.raises(DataError, match=message):
        read_pairs(tmp_path, Cleaning())


@pytest.mark.parametrize("word", ["", "9" * 100_000])
def test_there_is_no_advice_for_an_absent_or_an_endless_label(tmp_path: Path, word: str) -> None:
    with pytest.raises(DataError) as caught:
        read_pairs(spoil(tmp_path, "\t0\tqueue", f"\t{word}\tqueue"), Cleaning())
    assert "write into columns.yaml" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_hidden_labels_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="got '-1', which marks hidden labels of a test split"):
        read_pairs(spoil(tmp_path, "\t0\tqueue", "\t-1\tqueue"), Cleaning())


def test_a_huge_number_of_votes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"ayes: must be a whole number from 0 to 3, got '999"):
        read_pairs(spoil(tmp_path, "stack\t3", f"stack\t{'9' * 5000}"), Cleaning())


def test_a_tsv_that_pandas_quoted_is_refused_and_read_by_the_line_that_is_shown(
    tmp_path: Path,
) -> None:
    rows = [['says "hi"', "one\ttwo", "1"], ["a queue\nwaits", "lines up", "0"]]
    frame = pd.DataFrame(rows, columns=["first", "second", "label"])
    for split in SPLITS:
        frame.to_csv(tmp_path / f"{split}.tsv", sep="\t", index=False)
    with pytest.raises(DataError, match="the line quoting: minimal\n"):
        read_pairs(tmp_path, Cleaning())
    (tmp_path / "columns.yaml").write_text("quoting: minimal\n")
    table = read_pairs(tmp_path, Cleaning()).splits["train"]
    assert table.first == ['says "hi"', "a queue waits"]
    assert table.second == ["one two", "lines up"]
    assert table.lines == [2, 3]


@given(content=st.binary(max_size=80), ending=st.sampled_from(["tsv", "csv", "parquet"]))
def test_any_bytes_are_pairs_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, ending: str
) -> None:
    folder = tmp_path_factory.mktemp("any")
    header = (
        b""
        if ending == "parquet"
        else b"first\tsecond\tlabel\n".replace(b"\t", b"," if ending == "csv" else b"\t")
    )
    for split in SPLITS:
        (folder / f"{split}.{ending}").write_bytes(header + content)
    try:
        read_pairs(folder, Cleaning())
    except DataError as error:
        assert "train" in str(error)
