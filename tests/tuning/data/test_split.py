"""Guards the command that makes three splits from one file: nothing is lost, bent or apart."""

import csv
import hashlib
import json
import sys
from pathlib import Path

import pytest
import yaml

from tuning.config.experiment import Cleaning
from tuning.data import split
from tuning.data.pairs import PairData, read_pairs
from tuning.data.split_checks import describe_shared

WORDS = ("array", "bit", "cache", "edge", "heap", "key", "list")


def rows_of(count: int) -> list[list[str]]:
    """Return rows with texts of their own: an id, two texts, a label, a topic of two rows."""
    return [
        [f"00{n}", f"{WORDS[n % 7]} {n}", f"null {n} x", str(n % 3 // 2), f"topic {n // 2}"]
        for n in range(count)
    ]


def write(path: Path, rows: list[list[str]], header: str = "id first second label topic") -> Path:
    mark = "\t" if path.suffix == ".tsv" else ","
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=mark, lineterminator="\n").writerows([header.split(), *rows])
    return path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["split", *map(str, arguments)])
    return split.main()


def cells_in(folder: Path) -> list[list[str]]:
    """Return the rows of all splits as text, in the order of their ids."""
    found = []
    for path in sorted(folder.glob("*.[tc]sv")):
        with path.open(newline="", encoding="utf-8") as file:
            mark = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if path.suffix == ".tsv" else {}
            header, *rows = csv.reader(file, **mark)
        found += rows
        assert header == ["id", "first", "second", "label", "topic"]
    return sorted(found, key=lambda row: int(row[0]))


def splits_in(folder: Path) -> PairData:
    return read_pairs(folder, Cleaning())


def test_every_row_comes_back_unchanged_in_one_of_three_splits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of(60)
    rows[3][1] = " a heap's  two   blanks "
    source = write(tmp_path / "pairs.tsv", [])
    source.write_text("\n".join("\t".join(row) for row in [source.read_text().split(), *rows]))
    output = tmp_path / "made" / "splits"
    assert run(monkeypatch, source, "--output", output, "--group", "topic") == 0
    assert cells_in(output) == rows
    data = splits_in(output)
    assert [len(table.labels) for table in data.splits.values()] == [42, 10, 8]
    assert [int(table.labels.sum()) for table in data.splits.values()] == [14, 3, 3]
    assert all(table.groups[0].startswith("topic") for table in data.splits.values())
    assert describe_shared(data) is None


def test_texts_with_tabs_and_line_breaks_are_written_as_csv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of(60)
    rows[0][1], rows[1][2], rows[2][4] = "a\theap", "two\r\nlines", 'said "so", \r then'
    source = write(tmp_path / "pairs.csv", rows)
    assert run(monkeypatch, source, "--output", tmp_path / "splits") == 0
    assert {path.name for path in (tmp_path / "splits").iterdir()} == {
        "train.csv", "validation.csv", "test.csv", split.CARD,
    }  # fmt: skip
    assert cells_in(tmp_path / "splits") == rows
    splits_in(tmp_path / "splits")


def test_the_card_says_what_was_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of(40)
    rows[5][2] = rows[9][1]
    source = write(tmp_path / "pairs.csv", rows)
    arguments = (source, "--output", tmp_path / "splits", "--seed", 3, "--test", 0.25)
    assert run(monkeypatch, *arguments) == 0
    card = yaml.safe_load((tmp_path / "splits" / split.CARD).read_text(encoding="utf-8"))
    assert (card["source"], card["seed"]) == ("pairs.csv", 3)
    assert card["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert card["splits"]["test"] == {
        "pairs": 10, "share": 0.25, "asked": 0.25, "paraphrases": 0.3,
    }  # fmt: skip
    kept = card["kept together"]
    assert (kept["texts in more than one pair"], kept["pairs that are tied to others"]) == (1, 2)
    assert "note" not in card


def test_a_seed_makes_the_same_files_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "pairs.csv", rows_of(60))
    for name, seed in (("one", 5), ("two", 5), ("three", 6)):
        assert run(monkeypatch, source, "--output", tmp_path / name, "--seed", seed) == 0
    one, two, three = (
        [(tmp_path / name / f"{part}.tsv").read_bytes() for part in ("train", "test")]
        for name in ("one", "two", "three")
    )
    assert one == two != three


def test_names_of_columns_come_from_options_or_the_file_beside_and_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "pairs.csv", rows_of(60), "id question1 question2 same topic")
    (tmp_path / "columns.yaml").write_text("first: question1\nlabel: wrong\ngroup: topic\n")
    named = ("--second", "question2", "--label", "same")
    assert run(monkeypatch, source, "--output", tmp_path / "splits", *named) == 0
    written = yaml.safe_load((tmp_path / "splits/columns.yaml").read_text(encoding="utf-8"))
    assert written == {
        "first": "question1", "second": "question2", "label": "same", "group": "topic",
    }  # fmt: skip
    splits_in(tmp_path / "splits")


def test_a_component_that_is_too_large_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = rows_of(100)
    for row in rows[:80]:
        row[4] = "one"
    source = write(tmp_path / "pairs.csv", rows)
    arguments = (source, "--output", tmp_path / "splits", "--group", "topic")
    assert run(monkeypatch, *arguments) == 0
    note = yaml.safe_load(capsys.readouterr().out.rpartition("Next:")[0])["note"]
    assert note == (
        "the shares are not those asked for: of 11 components the largest, that of line 2, "
        "has 80 of 100 pairs"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--test", 0.9), "--validation, --test: must be above 0 and leave pairs for train, got"),
        (("--validation", "nan"), "must be above 0 and leave pairs for train, got nan and 0.15"),
        (("--seed", -1), "--seed: must be at least 0, got -1"),
        (("--group", "nowhere"), "pairs.csv: line 1: no column 'nowhere'"),
        (("--group", "same"), "would have no pair: 6 of 20 pairs are paraphrases, and of "
         "1 components the largest, that of line 2, has 20 of 20 pairs; other shares or"),
        (("--output", "full"), "--output: full: must be absent or an empty folder"),
    ],
)  # fmt: skip
def test_what_cannot_be_split_is_refused_and_nothing_is_written(
    arguments: tuple[object, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    source = write(
        Path("pairs.csv"),
        [[*row, "all"] for row in rows_of(20)],
        "id first second label topic same",
    )
    Path("full").mkdir()
    Path("full/train.tsv").write_text("mine", encoding="utf-8")
    assert run(monkeypatch, source, "--output", "splits", *arguments) == 2
    assert message in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "pairs.csv"]
    assert Path("full/train.tsv").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("more", '"' + "w " * 70_000, "a cell is longer than 131,072 characters"),
        ("mo\0re", "", "must be text, got a zero byte"),
        ("\ufeffmore", "", "its cells would read as others"),
    ],
)
def test_what_a_text_file_cannot_hold_is_refused_by_the_name_of_the_source(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    text: str,
    reason: str,
) -> None:
    path = tmp_path / "pairs.jsonl"
    rows = [{name: text, "first": f"a{n}", "second": f"b{n}", "label": n % 2} for n in range(40)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run(monkeypatch, path, "--output", tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert f"error: {path}: cannot be written as train." in said
    assert reason in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("pairs.csv", "no such file"),
        ("pairs-00001-of-00002.parquet", "shards of one; pandas.read_parquet reads their folder"),
        ("pairs-*-of-00002.parquet", "shards of one; pandas.read_parquet reads their folder"),
    ],
)
def test_what_is_no_file_of_pairs_is_named(
    name: str,
    found: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "pairs-00001-of-00002.parquet").touch()
    assert run(monkeypatch, tmp_path / name, "--output", tmp_path / "splits") == 2
    assert f"{name}: must be one file of pairs, got {found}" in capsys.readouterr().err


def test_a_file_that_has_its_own_separator_and_words_for_labels_keeps_the_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["first;second;label", *(f"a {n};b {n};{('yes', 'no')[n % 2]}" for n in range(40))]
    (tmp_path / "pairs.csv").write_text("\n".join(lines), encoding="utf-8")
    columns = 'separator: ";"\nlabels: {1: ["yes"], 0: ["no"]}\n'
    (tmp_path / "columns.yaml").write_text(columns, encoding="utf-8")
    assert run(monkeypatch, tmp_path / "pairs.csv", "--output", tmp_path / "splits") == 0
    written = (tmp_path / "splits/columns.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(written) == {"labels": {1: ["yes"], 0: ["no"]}}
    assert splits_in(tmp_path / "splits").splits["test"].labels.tolist() == [0, 1] * 3


def test_a_column_cannot_have_two_roles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path / "pairs.csv", rows_of(20))
    named = ("--first", "second")
    assert run(monkeypatch, source, "--output", tmp_path / "splits", *named) == 2
    assert "must name a column of its own for each key" in capsys.readouterr().err


def test_too_few_of_one_label_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [[*row[:3], str(int(n < 2)), row[4]] for n, row in enumerate(rows_of(100))]
    source = write(tmp_path / "pairs.csv", rows)
    assert run(monkeypatch, source, "--output", tmp_path / "splits") == 2
    said = capsys.readouterr().err
    assert "would have only the label 0: 2 of 100 pairs are paraphrases, and of 100" in said
