"""Guards a launch's precision: chosen when it starts, kept when it is resumed anywhere."""

import io
import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console

import models.precision
import models.speed
from models.number_formats import Precision, Rates
from tuning.system.machine import RATES_FILE, machine_key
from tuning.system.project import ROOT
from tuning.tracking.journal import Journal
from tuning.tracking.launch_log import LaunchLog
from tuning.tracking.launch_precision import launch_precision

FLOAT32 = {"float32": 160e9, "bfloat16": 82e9}
BFLOAT16 = {"float32": 90e9, "bfloat16": 203e9}
MIXED = Precision("float32", "bfloat16")


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the machine have no GPU, and be faster in float32 only for frozen layers."""
    rates = Rates(frozen=FLOAT32, trained=BFLOAT16)
    monkeypatch.setattr(models.speed, "measure_rates", lambda: rates)
    monkeypatch.setattr(models.precision, "gpu_precision", lambda: None)


def remember(folder: Path, frozen: dict[str, float], trained: dict[str, float]) -> None:
    folder.mkdir(exist_ok=True)
    content = {machine_key(): {"frozen": frozen, "trained": trained}}
    (folder / RATES_FILE).write_text(json.dumps(content), encoding="utf-8")


def begin(folder: Path, precision: str) -> LaunchLog:
    """Return the log of a launch that was started with a precision."""
    log = LaunchLog(Journal(folder))
    log.open("x", folder, "sqlite://", {"precision": precision})
    return log


def choose(wanted: str, log: LaunchLog, cache: Path) -> tuple[Precision, str]:
    """Return the precision of a launch, and what the terminal shows."""
    file = io.StringIO()
    return launch_precision(wanted, log, cache, Console(file=file, width=300)), file.getvalue()


def test_the_first_launch_shows_what_it_measured_and_the_next_remembers_it(
    tmp_path: Path,
) -> None:
    cache = tmp_path / "cache"
    log = LaunchLog(Journal(tmp_path / "launch"))
    assert choose("auto", log, cache) == (
        MIXED,
        "Precision: float32 for frozen layers (measured: 160 GFLOP/s; bfloat16 82), bfloat16 "
        "for trained ones (measured: 203 GFLOP/s; float32 90 on a core)\n",
    )
    assert choose("auto", log, cache) == (MIXED, "")


@pytest.mark.parametrize("text", ["bfloat16", "float32", "bfloat16 frozen, float32 trained"])
def test_a_resumed_launch_keeps_its_precision_on_a_machine_that_knows_nothing(
    tmp_path: Path, text: str
) -> None:
    cache = tmp_path / "cache"
    kept, shown = choose("auto", begin(tmp_path / "launch", text), cache)
    assert (str(kept), shown) == (text, "")
    assert not cache.exists()


def test_a_resumed_launch_says_that_this_machine_would_choose_otherwise(tmp_path: Path) -> None:
    remember(tmp_path / "cache", FLOAT32, FLOAT32)
    kept, shown = choose("auto", begin(tmp_path / "launch", "bfloat16"), tmp_path / "cache")
    assert str(kept) == "bfloat16"
    assert shown == (
        "Notice: the launch keeps the precision that it was started with, bfloat16; this machine "
        "would choose float32\n"
    )


def test_a_named_precision_is_taken_also_on_resuming_so_that_a_change_is_refused(
    tmp_path: Path,
) -> None:
    log = begin(tmp_path / "launch", "bfloat16")
    assert choose("float32", log, tmp_path)[0] == Precision("float32", "float32")


def test_a_launch_of_an_earlier_version_keeps_its_precision(tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests/earlier/journal.jsonl", tmp_path)
    log = LaunchLog(Journal(tmp_path))
    begun_with = log.journal.entries[0]["identity"]["precision"]
    remember(tmp_path / "cache", FLOAT32, BFLOAT16)
    kept, shown = choose("auto", log, tmp_path / "cache")
    assert str(kept) == begun_with
    assert kept.frozen == kept.trained
    assert "keeps the precision" in shown
