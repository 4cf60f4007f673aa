"""Guards the comparison's record: what is kept of it, what counts, what a failure leaves."""

import argparse
from pathlib import Path
from typing import Any

import pytest

from benchmarks import against_field
from benchmarks.against_field import compare, kept_programs, measured
from benchmarks.launches import OUTPUT, CommandError
from benchmarks.records import describe_machine, read_record, save_record

SETTINGS = {"data": "x", "pairs": None, "trials": 2, "minutes": 1.0, "versions": {"a": "1"}}
FOUND = {"exit_code": 0, "date": "x", "commit": "abc", "curve": [[1.0, 0.5]]}


def test_trials_that_end_after_the_time_do_not_count(tmp_path: Path) -> None:
    found = measured(tmp_path, [(70.0, 0.9), (50.0, 0.7)], None, 1.0)
    assert found["curve"] == [[50.0, 0.7]]
    assert found["exit_code"] is None


def test_a_command_that_fails_is_measured_only_if_a_trial_ended(tmp_path: Path) -> None:
    (tmp_path / OUTPUT).write_text("no memory")
    assert measured(tmp_path, [(1.0, 0.6)], 1, 1.0)["exit_code"] == 1
    with pytest.raises(CommandError, match="no trial ended, exit code 1:\nno memory"):
        measured(tmp_path, [(61.0, 0.6)], 1, 1.0)
    assert measured(tmp_path, [], None, 1.0)["curve"] == []


@pytest.mark.parametrize("change", [{"trials": 3}, {"versions": {"a": "2"}}, {"minutes": 2.0}])
def test_programs_are_kept_of_the_same_settings_and_machine(change: dict[str, Any]) -> None:
    programs = {"embeddings": FOUND}
    record = {"machine": describe_machine(), "numbers": {**SETTINGS, "programs": programs}}
    assert kept_programs(record, SETTINGS) == programs
    assert kept_programs(record, {**SETTINGS, **change}) == {}
    other = {**record, "machine": {**record["machine"], "processor": "another"}}
    assert kept_programs(other, SETTINGS) == {}
    assert kept_programs(None, SETTINGS) == {}


def test_a_program_that_fails_leaves_the_others_and_what_was_known_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run_rival(name: str, *_: object) -> dict[str, Any]:
        if name == "cross_encoder":
            raise CommandError("no memory")
        return FOUND

    monkeypatch.setattr(against_field, "run_rival", run_rival)
    monkeypatch.setattr(against_field, "read_record", lambda name: read_record(name, tmp_path))
    monkeypatch.setattr(
        against_field,
        "save_record",
        lambda name, numbers, **words: save_record(name, numbers, tmp_path, **words),
    )
    before = {**FOUND, "curve": [[9.0, 0.4]]}
    save_record(
        "r", {**SETTINGS, "programs": {"tuner": before, "cross_encoder": before}}, tmp_path
    )
    args = argparse.Namespace(name="r", quick=False, data="embedded", pairs=None, trials=2,
                              minutes=1.0, only=["cross_encoder", "embeddings"])  # fmt: skip
    numbers, whole = compare(args, SETTINGS)
    assert not whole
    assert "cross_encoder: no memory" in capsys.readouterr().err
    record = read_record("r", tmp_path)
    assert record is not None
    assert record["numbers"] == numbers
    assert record["unfinished"]
    curves = {name: found["curve"] for name, found in numbers["programs"].items()}
    assert curves == {"tuner": [[9.0, 0.4]], "cross_encoder": [[9.0, 0.4]],
                      "embeddings": [[1.0, 0.5]]}  # fmt: skip
