"""Guards what is written of a Parquet table in shards: no value bent, no shard overwritten."""

from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from models.pair_files import check_form, check_output, read_pairs, write_answers
from models.table_files import DataError
from tuning.data.data_files import find_files


def write_shards(folder: Path, *cells: object) -> Path:
    """Write a shard for each cell of a third column; return the name of all."""
    for number, cell in enumerate(cells):
        table = pyarrow.table({"first": ["a"], "second": ["b"], "more": [cell]})
        parquet.write_table(table, folder / f"in[1]-{number:05}-of-{len(cells):05}.parquet")
    return folder / f"in[1]-*-of-{len(cells):05}.parquet"


def test_a_column_that_is_missing_in_one_shard_has_the_type_of_the_others(tmp_path: Path) -> None:
    pairs, output = read_pairs(write_shards(tmp_path, None, 2**60)), tmp_path / "out.parquet"
    check_form(output, pairs)
    write_answers(output, pairs, [(0.5, True)] * 2)
    assert parquet.read_table(output)["more"].to_pylist() == [None, 2**60]


def test_shards_of_different_types_are_refused_before_the_model_runs(tmp_path: Path) -> None:
    pairs = read_pairs(write_shards(tmp_path, 2**60 + 1, 0.5))
    with pytest.raises(
        DataError, match=r"cannot be written as \.parquet: .*more.*; write \.jsonl"
    ):
        check_form(tmp_path / "out.parquet", pairs)
    check_form(tmp_path / "out.jsonl", pairs)
    write_answers(tmp_path / "out.jsonl", pairs, [(0.5, True)] * 2)
    assert f'"more": "{2**60 + 1}"' in (tmp_path / "out.jsonl").read_text()


def test_no_shard_of_the_input_is_overwritten(tmp_path: Path) -> None:
    whole = write_shards(tmp_path, 1, 2)
    with pytest.raises(OSError, match="is the input file; name another"):
        check_output(tmp_path / "in[1]-00001-of-00002.parquet", whole)
    check_output(tmp_path / "in[1]-00001-of-00002.parquet", tmp_path / "in[1]-00000-of-00002.csv")


def test_shards_in_capital_letters_are_all_read(tmp_path: Path) -> None:
    write_shards(tmp_path, 1, 2)
    for number, path in enumerate(sorted(tmp_path.glob("in*"))):
        path.rename(tmp_path / f"TEST-{number:05}-OF-00002.PARQUET")
    found = find_files(tmp_path, ("test",))["test"]
    assert found.name == "TEST-*-OF-00002.PARQUET"
    assert [row[2] for row in read_pairs(found).rows] == ["1", "2"]
    (tmp_path / "TEST-00001-OF-00002.PARQUET").unlink()
    with pytest.raises(DataError, match=r"2 files, without TEST-00001-OF-00002\.PARQUET"):
        read_pairs(found)
