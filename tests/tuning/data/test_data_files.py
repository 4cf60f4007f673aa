"""Guards which file belongs to which split, and that doubtful ones are named, not chosen."""

import json
from pathlib import Path

import pytest

from models.table_files import DataError
from tests.models.tables import ROWS, frame_of, write_saved
from tuning.data.data_files import find_files


def folder_of(tmp_path: Path, *names: str) -> Path:
    for name in names:
        (tmp_path / name).write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["train.tsv", "dev.csv", "test.jsonl"], ["train.tsv", "dev.csv", "test.jsonl"]),
        (["TRAIN.TSV.GZ", "Val.Csv", "test.parquet"], ["TRAIN.TSV.GZ", "Val.Csv", "test.parquet"]),
        (
            [
                "train-00000-of-00002.parquet",
                "train-00001-of-00002.parquet",
                "valid.tsv",
                "test-00000-of-00001.parquet",
                "train.txt",
                "README.md",
                "trainer.tsv",
            ],
            ["train-*-of-00002.parquet", "valid.tsv", "test-*-of-00001.parquet"],
        ),
    ],
)
def test_files_are_found_by_their_names(
    tmp_path: Path, names: list[str], found: list[str]
) -> None:
    files = find_files(folder_of(tmp_path, *names))
    assert list(files) == ["train", "validation", "test"]
    assert [path.name for path in files.values()] == found


@pytest.mark.parametrize(
    ("names", "listed"),
    [
        (["dev.tsv", "validation.csv"], "dev.tsv, validation.csv"),
        (["val.jsonl", "VAL.jsonl", "valid.tsv.gz"], "VAL.jsonl, val.jsonl, valid.tsv.gz"),
        (
            ["dev-00000-of-00001.parquet", "dev-00000-of-00002.parquet", "dev.parquet"],
            "dev-*-of-00001.parquet, dev-*-of-00002.parquet, dev.parquet",
        ),
    ],
)
def test_files_that_could_all_be_meant_are_named(
    tmp_path: Path, names: list[str], listed: str
) -> None:
    with pytest.raises(DataError) as caught:
        find_files(folder_of(tmp_path, *names), ("validation",))
    message = f"{tmp_path}: validation: could be any of {listed}; leave one of them there"
    assert str(caught.value) == message


def test_a_missing_split_is_named_with_what_is_there(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "train.tsv", "testing.tsv", ".hidden")
    with pytest.raises(DataError) as caught:
        find_files(folder, ("test",))
    assert str(caught.value).startswith(f"{tmp_path}: test is missing; it must be named test and")
    assert "There is testing.tsv, train.tsv. A data folder has one file" in str(caught.value)


def test_a_folder_of_datasets_is_found_and_a_single_split_is_named(tmp_path: Path) -> None:
    names = ["train", "validation", "test"]
    for name in names:
        write_saved(tmp_path / name, frame_of(ROWS))
    (tmp_path / "dataset_dict.json").write_text(json.dumps({"splits": names}))
    assert find_files(tmp_path) == {name: tmp_path / name for name in names}
    with pytest.raises(DataError, match="train: is a single split as datasets saves it; save a D"):
        find_files(tmp_path / "train")


def test_a_folder_that_is_absent_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone: cannot be read: No such file"):
        find_files(tmp_path / "gone")
