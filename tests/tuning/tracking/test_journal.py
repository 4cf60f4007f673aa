"""Guards the journal: entries are read back even if the file was cut off or a byte damaged."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuning.tracking.journal import (
    DELIVERED,
    JOURNAL,
    Journal,
    JournalError,
    begun_for,
    count_delivered,
    read_entries,
    write_delivered,
)

VALUES = st.dictionaries(st.text(max_size=9), st.one_of(st.text(), st.floats(allow_nan=False)))


def written(folder: Path, values: list[dict[str, object]]) -> Path:
    journal = Journal(folder)
    for value in values:
        journal.append({"do": "metrics", "values": value})
    return folder / JOURNAL


@given(values=st.lists(VALUES, max_size=5))
def test_what_was_recorded_is_read_back_in_order(values: list[dict[str, object]]) -> None:
    with TemporaryDirectory() as folder:
        written(Path(folder), values)
        again = Journal(Path(folder)).entries
    assert [entry["values"] for entry in again] == values
    assert [entry["n"] for entry in again] == list(range(len(values)))


@given(
    values=st.lists(VALUES, min_size=1, max_size=4), where=st.floats(0, 1), bit=st.integers(0, 7)
)
def test_one_damaged_byte_loses_nothing(
    values: list[dict[str, object]], where: float, bit: int
) -> None:
    with TemporaryDirectory() as folder:
        path = written(Path(folder), values)
        content = bytearray(path.read_bytes())
        content[int(where * (len(content) - 1))] ^= 1 << bit
        path.write_bytes(content)
        assert [entry["values"] for entry in read_entries(path)] == values


@given(values=st.lists(VALUES, min_size=1, max_size=4), kept=st.floats(0, 1))
def test_a_cut_loses_only_the_last_entries_and_later_ones_are_kept(
    values: list[dict[str, object]], kept: float
) -> None:
    with TemporaryDirectory() as folder:
        path = written(Path(folder), values)
        path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
        left = [entry["values"] for entry in read_entries(path)]
        assert left == values[: len(left)]
        Journal(Path(folder)).append({"values": "after"})
        assert [entry["values"] for entry in read_entries(path)] == [*left, "after"]


@given(content=st.binary(max_size=300))
def test_a_file_of_any_bytes_has_no_entries(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / JOURNAL
        path.write_bytes(content)
        assert Journal(Path(folder)).entries == []


def test_an_entry_that_is_damaged_in_both_copies_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, [{"a": 1}, {"a": 2}, {"a": 3}])
    lines = path.read_bytes().split(b"\n")
    kept = [line for line in lines if b'"n":1,' not in line]
    path.write_bytes(b"\n".join(kept))
    with pytest.raises(JournalError, match=rf"{path}:\d: entry 1 is damaged in both copies"):
        Journal(tmp_path)


def test_a_journal_that_could_not_be_written_takes_no_more_entries(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append({"do": "one"})
    path = tmp_path / JOURNAL
    path.unlink()
    path.mkdir()
    for _ in range(2):
        with pytest.raises(JournalError, match=f"{path}: cannot be written"):
            journal.append({"do": "two"})
    path.rmdir()
    with pytest.raises(JournalError, match="cannot be written"):
        journal.raise_problem()
    assert [entry["do"] for entry in journal.entries] == ["one"]


def journal_for(folder: Path, uri: str, entries: int = 8) -> Journal:
    journal = Journal(folder)
    for _ in range(entries):
        journal.append({"do": "open", "uri": uri})
    return journal


def test_the_number_of_delivered_entries_is_kept_by_store(tmp_path: Path) -> None:
    journal = journal_for(tmp_path, "http://a")
    assert count_delivered(journal, "http://a") == 0
    write_delivered(tmp_path, "http://a", 7)
    write_delivered(tmp_path, "http://me:secret@b", 2)
    assert [count_delivered(journal, f"http://{s}") for s in ("a", "me:other@b", "c")] == [7, 2, 0]
    assert "secret" not in (tmp_path / DELIVERED).read_text()
    known = [begun_for(journal, uri) for uri in ("http://a", "http://me:x@b", "http://c")]
    assert known == [True, True, False]


def test_the_count_of_an_earlier_version_is_that_of_the_store_it_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    journal = journal_for(tmp_path, "sqlite:///log.db")
    (tmp_path / DELIVERED).write_text('{"delivered": 5}')
    own = f"sqlite:///{tmp_path}/log.db"
    assert count_delivered(journal, own) == 5
    assert count_delivered(journal, "http://a") == 0
    write_delivered(tmp_path, "http://a", 1)
    assert count_delivered(journal, own) == 5


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"delivered": "x"}', '{"stores": [1]}', '{"stores": {"http://a": -1}}'],
)
def test_a_damaged_count_is_0(tmp_path: Path, text: str) -> None:
    journal = journal_for(tmp_path, "http://a")
    (tmp_path / DELIVERED).write_text(text)
    assert count_delivered(journal, "http://a") == 0


def test_a_count_beyond_the_entries_is_not_believed(tmp_path: Path) -> None:
    journal = journal_for(tmp_path, "http://a", entries=1)
    write_delivered(tmp_path, "http://a", 1)
    assert count_delivered(journal, "http://a") == 1
    write_delivered(tmp_path, "http://a", 2)  # of a longer journal, before one from a backup
    assert count_delivered(journal, "http://a") == 0
