"""Guards what is remembered of a machine: measured once, and again if the file is of no use."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import models.precision
import models.speed
from models.number_formats import Precision, Rates
from tuning.system import machine
from tuning.system.machine import (
    RATES_FILE,
    choose_precision,
    describe_rates,
    forget_rates,
    load_or_measure,
    machine_key,
    recall_rates,
)

SLOW_HALF = {"float32": 190e9, "bfloat16": 81e9}
FAST_HALF = {"float32": 7.1e9, "bfloat16": 30e9}
BOTH_BFLOAT16 = Precision("bfloat16", "bfloat16")
RATES = Rates(frozen=SLOW_HALF, trained=FAST_HALF)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Rates]:
    """Replace the stopwatch by known rates, on a machine without a GPU; count its uses."""
    uses: list[Rates] = []

    def measure() -> Rates:
        uses.append(RATES)
        return RATES

    monkeypatch.setattr(models.speed, "measure_rates", measure)
    monkeypatch.setattr(models.precision, "gpu_precision", lambda device: None)
    return uses


def write(folder: Path, entry: object) -> None:
    content = {machine_key(): entry, "another machine": 1}
    (folder / RATES_FILE).write_text(json.dumps(content), encoding="utf-8")


def test_a_machine_is_measured_once_and_remembered(tmp_path: Path, measured: list[Rates]) -> None:
    folder = tmp_path / "new"
    assert load_or_measure(folder) == load_or_measure(folder) == recall_rates(folder) == RATES
    assert len(measured) == 1
    assert choose_precision("auto", folder) == Precision("float32", "bfloat16")
    assert len(measured) == 1


def test_a_named_precision_is_kept_and_nothing_is_measured(
    tmp_path: Path, measured: list[Rates]
) -> None:
    assert choose_precision("bfloat16", tmp_path) == Precision("bfloat16", "bfloat16")
    assert not measured
    assert not list(tmp_path.iterdir())


def test_other_machines_stay_remembered(tmp_path: Path, measured: list[Rates]) -> None:
    write(tmp_path, None)
    load_or_measure(tmp_path)
    assert json.loads((tmp_path / RATES_FILE).read_bytes())["another machine"] == 1
    assert recall_rates(tmp_path) == RATES


def test_a_machine_is_forgotten_and_others_are_not(tmp_path: Path, measured: list[Rates]) -> None:
    forget_rates(tmp_path)
    assert not list(tmp_path.iterdir())
    write(tmp_path, None)
    load_or_measure(tmp_path)
    forget_rates(tmp_path)
    assert recall_rates(tmp_path) is None
    assert json.loads((tmp_path / RATES_FILE).read_bytes()) == {"another machine": 1}


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        {"frozen": SLOW_HALF},
        {"frozen": SLOW_HALF, "trained": {"float32": 1.0}},
        {"frozen": SLOW_HALF, "trained": {"float32": 1.0, "bfloat16": 0}},
        {"frozen": SLOW_HALF, "trained": {"float32": 1.0, "bfloat16": float("nan")}},
        {"frozen": SLOW_HALF, "trained": {"float32": "fast", "bfloat16": True}},
    ],
)
def test_an_entry_without_four_rates_is_measured_again(
    tmp_path: Path, measured: list[Rates], entry: object
) -> None:
    write(tmp_path, entry)
    assert recall_rates(tmp_path) is None
    assert load_or_measure(tmp_path) == RATES
    assert recall_rates(tmp_path) == RATES


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[]", b"[" * 100_000])
def test_a_garbled_file_is_measured_again_and_replaced(
    tmp_path: Path, measured: list[Rates], content: bytes
) -> None:
    (tmp_path / RATES_FILE).write_bytes(content)
    assert load_or_measure(tmp_path) == recall_rates(tmp_path) == RATES
    assert len(measured) == 1


def test_a_cache_that_cannot_be_written_is_no_obstacle(
    tmp_path: Path, measured: list[Rates]
) -> None:
    file, folder = tmp_path / "file", tmp_path / "folder"
    file.touch()
    (folder / RATES_FILE).mkdir(parents=True)
    for cache in (file, file / "below", folder):
        assert choose_precision("auto", cache) == Precision("float32", "bfloat16")
        assert recall_rates(cache) is None
    assert len(measured) == 3


def test_a_machine_that_cannot_be_measured_computes_in_float32_and_says_so(
    tmp_path: Path, measured: list[Rates], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> Rates:
        raise RuntimeError("could not create a primitive\nat line 3")

    monkeypatch.setattr(models.speed, "measure_rates", fail)
    said: list[str] = []
    assert choose_precision("auto", tmp_path, said.append) == Precision("float32", "float32")
    assert said == [
        "this machine's speed could not be measured (could not create a primitive); it computes "
        "in float32"
    ]
    assert recall_rates(tmp_path) is None


def test_a_gpu_has_its_own_precision_and_nothing_is_measured(
    tmp_path: Path, measured: list[Rates], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models.precision, "gpu_precision", lambda device: BOTH_BFLOAT16)
    assert choose_precision("auto", tmp_path) == BOTH_BFLOAT16
    assert not measured


def test_another_number_of_threads_is_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    before = machine_key()
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert machine_key() != before


def test_what_was_measured_is_told_in_words() -> None:
    assert describe_rates(RATES) == (
        "float32 for frozen layers (measured: 190 GFLOP/s; bfloat16 81), "
        "bfloat16 for trained ones (measured: 30 GFLOP/s; float32 7.1 on a core)"
    )


def test_what_is_remembered_is_read_without_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tuning.system.machine import recall_rates; "
        "print(recall_rates(Path(sys.argv[1])), 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    found = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    assert found.stdout.split() == ["None", "False"]


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"a": "150000 100000"}, 1),
        ({"a": "max 100000"}, 3),
        ({"a": "900000 100000"}, 3),
        ({"b": "200000", "c": "100000"}, 2),
        ({"b": "-1", "c": "100000"}, 3),
        ({"b": "20000", "c": "100000"}, 1),
        ({}, 3),
    ],
)
def test_the_limit_of_a_container_counts_as_its_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], cores: int
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(f"{content}\n")
    quotas = ([tmp_path / "a"], [tmp_path / "b", tmp_path / "c"])
    monkeypatch.setattr(machine, "_QUOTAS", quotas)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 5}, raising=False)
    assert machine.count_cores() == cores
