"""Guards records: what is written is read back, and commands name no place of one machine."""

from pathlib import Path

import pytest

from benchmarks.records import UNFINISHED, read_record, save_record, without_places, write_record


def test_a_record_is_read_back_and_has_a_row_a_line(tmp_path: Path) -> None:
    rows = [{"a": 1.5, "words": "x,  y"}, {"a": None, "words": "z"}]
    content = {"numbers": {"rows": rows, "name": "[n,  m] {"}}
    path = write_record("x", content, tmp_path)
    assert read_record("x", tmp_path) == content
    assert len(path.read_text(encoding="utf-8").splitlines()) == 8
    assert read_record("y", tmp_path) is None


def test_a_saved_record_has_its_commit_and_its_command(tmp_path: Path) -> None:
    save_record("x", {"seconds": 1.0}, tmp_path)
    record = read_record("x", tmp_path)
    assert record is not None
    assert record["command"].startswith("python ")
    assert set(record) == {"commit", "command", "machine", "numbers"}
    save_record("x", {}, tmp_path, whole=False)
    part = read_record("x", tmp_path)
    assert part is not None
    assert part[UNFINISHED]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("python a.py --data /x/y --output /z --encoder minilm",
         "python a.py --data FOLDER --encoder minilm"),
        ("python a.py --tracking-uri=sqlite:////x.db --data=~/y --resume",
         "python a.py --data=FOLDER"),
        ("python a.py --data embedded --overwrite --quick", "python a.py --data embedded --quick"),
    ],
)  # fmt: skip
def test_a_command_is_kept_without_places(given: str, kept: str) -> None:
    assert without_places(given) == kept
