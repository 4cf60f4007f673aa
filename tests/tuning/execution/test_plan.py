"""Guards the plan before a launch: notices come first, the cost is by this machine's rates."""

import io
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from models.number_formats import Rates
from models.state_files import create
from tests.tuning.execution.experiment import prepared
from tuning.execution.plan import (
    describe_precision,
    estimate_seconds,
    other_values,
    place_rows,
    print_plan,
    states_rows,
)
from tuning.system.atomic_files import DiskError
from tuning.system.machine import count_cores
from tuning.training.cost import states_bytes, usual_rates

SLOW_HALF = {"float32": 190e9, "bfloat16": 81e9}
FAST_HALF = {"float32": 7.1e9, "bfloat16": 30e9}


def test_a_plan_opens_with_what_stands_in_and_why() -> None:
    console = Console(file=io.StringIO(), width=140)
    print_plan(prepared(data="auto"), console, None, {"log": "sqlite:///x.db"})
    assert isinstance(console.file, io.StringIO)
    first_line = console.file.getvalue().split("\n")[0]
    assert first_line.startswith("Notice: PARADE is unavailable: 127.0.0.1 refuses the connection")
    assert first_line.endswith("the embedded pairs stand in for it")
    assert "sqlite:///x.db" in console.file.getvalue()


@pytest.mark.parametrize(
    ("min_steps", "row"),
    [
        (0, "2"),
        (88, "2"),
        (
            89,
            "3, not 2: 1400 pairs give too few steps for min_steps 89; --set min_steps=0 keeps 2",
        ),
    ],
)
def test_the_plan_says_why_there_are_more_epochs_than_were_asked_for(
    min_steps: int, row: str
) -> None:
    console = Console(file=io.StringIO(), width=140)
    print_plan(prepared(min_steps=min_steps), console, None, {})
    assert isinstance(console.file, io.StringIO)
    lines = [line.split(maxsplit=1) for line in console.file.getvalue().split("\n") if line]
    assert dict(line for line in lines if len(line) == 2)["epochs"].strip() == row


@pytest.mark.parametrize(
    ("rates", "size"),
    [
        (None, 2),
        (Rates(frozen=FAST_HALF, trained=SLOW_HALF), 2),
        (Rates(frozen=SLOW_HALF, trained=SLOW_HALF), 4),
    ],
)
def test_the_plan_says_what_the_states_need_and_a_full_disk_is_refused(
    tmp_path: Path, rates: Rates | None, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, output = prepared(), tmp_path / "new" / "out"
    tokens = {split: len(table.tokens) for split, table in plan.tokens.splits.items()}
    whole = f"{sum(tokens.values()) * 256 * size / 1e6:.0f} MB"
    row = states_rows(plan, rates, output)["states"]
    assert row.startswith(f"{whole} in {output}/activations; {whole} still to compute; ")
    assert row.endswith("GB are free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1_500_000))
    reason = (
        f"^{output}: the states of the frozen layers need {whole} and 2 MB are free: free some"
    )
    with pytest.raises(DiskError, match=reason):
        place_rows(plan, rates, output, "sqlite://")
    (output / "activations").mkdir(parents=True)
    kind = np.dtype(f"float{8 * size}")
    create(output / "activations/x.safetensors", tokens, 256, kind)
    rows = place_rows(plan, rates, output, "sqlite://")
    assert rows["states"].startswith(f"{whole} in {output}/activations; all are there; 2 MB")
    assert "log" in rows


def test_only_states_that_are_kept_need_room(tmp_path: Path) -> None:
    plan = prepared()
    whole, _ = states_bytes(plan, None, tmp_path)
    means = [trial.model_copy(update={"layer_mean": True}) for trial in plan.trials]
    both = replace(plan, trials=[*plan.trials, *means])
    assert states_bytes(both, None, tmp_path) == (3 * whole, 3 * whole)
    assert "for layer_mean the mean of all" in states_rows(both, None, tmp_path)["states"]
    trained = [trial.model_copy(update={"freezing": "none"}) for trial in plan.trials]
    assert states_rows(replace(plan, trials=trained), None, tmp_path) == {}
    kept = plan.experiment.model_copy(update={"cache_activations": False})
    assert states_rows(replace(plan, experiment=kept), None, tmp_path) == {}


def test_the_plan_says_where_memory_has_no_room_for_the_states(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, more = prepared(), "; read from there in each epoch"
    assert more not in states_rows(plan, None, tmp_path)["states"]
    monkeypatch.setattr("models.state_files.SHARE", 0.0)
    assert states_rows(plan, None, tmp_path)["states"].endswith(more)


def test_the_plan_says_what_all_trials_have_that_is_not_the_default() -> None:
    plan = prepared()
    assert other_values(plan) == {}
    trial = plan.experiment.trial.model_copy(update={"head_width": 32, "learning_rate": 0.5})
    changed = replace(plan, experiment=plan.experiment.model_copy(update={"trial": trial}))
    assert other_values(changed) == {"always": "head_width 32"}  # the grid sets the rate


def test_more_epochs_cost_more() -> None:
    short, long = prepared(epochs=1), prepared(epochs=9)
    assert estimate_seconds(long, None) > estimate_seconds(short, None)


def test_a_machine_that_was_measured_is_planned_by_its_own_rates() -> None:
    plan, here = prepared(), usual_rates(count_cores())
    assert estimate_seconds(plan, here) == pytest.approx(estimate_seconds(plan, None))
    slow = Rates(
        frozen={name: rate / 100 for name, rate in here.frozen.items()},
        trained={name: rate / 100 for name, rate in here.trained.items()},
    )
    assert estimate_seconds(plan, slow) > 5 * estimate_seconds(plan, here)


def test_the_plan_says_what_its_cost_and_its_precision_come_from() -> None:
    file, rates = io.StringIO(), Rates(frozen=SLOW_HALF, trained=FAST_HALF)
    for known in (None, rates):
        print_plan(prepared(), Console(file=file, width=200), known, {})
    before, after = file.getvalue().split("experiment")[1:]
    assert "float32 or bfloat16, what is faster here: measured at the first launch" in before
    assert "of a usual machine without a GPU; this one is measured at the first launch" in before
    assert "float32 for frozen layers (measured: 190 GFLOP/s; bfloat16 81), bfloat16 for" in after
    assert "cores without a GPU, by what was measured on them" in after
    assert describe_precision("bfloat16", rates) == "bfloat16, as the experiment says"
