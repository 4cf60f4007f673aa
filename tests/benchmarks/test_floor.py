"""Guards the floor: operations counted as by hand, padding left out, the slower limit taken."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.floor import Case, measure, plan_shares, prepare_for, real_share
from benchmarks.inputs import sample_pairs
from benchmarks.machine import Machine
from models.number_formats import Rates


class Known(Machine):
    """A machine whose rates are given: 8 operations a second in half precision, 4 in single."""

    def matrix_rate(self, precision: torch.dtype, threads: int) -> float:
        return 8.0 if precision == self.precision else 4.0

    def bandwidth(self, threads: int) -> float:
        return 2.0


def test_the_floor_is_what_takes_longer_operations_or_bytes() -> None:
    machine = Known(1)
    machine.precision = torch.bfloat16
    assert machine.floor(16, 12, 1, threads=1) == pytest.approx(5.0)
    assert machine.floor(16, 12, 30, threads=1) == pytest.approx(15.0)


def test_thereal_share_leaves_padding_out() -> None:
    batches = [np.array([2, 4]), np.array([6])]
    assert real_share(batches) == pytest.approx(12 / 14)
    assert real_share(batches, lambda lengths: lengths.max() + 2) == pytest.approx(12 / 20)


@pytest.mark.slow
def test_the_three_cases_are_counted_as_by_hand(distilbert: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    lines = ["first\tsecond\tlabel", *(f"w{n} w{n + 1}\tw{n + 2}\t{n % 2}" for n in range(10))]
    for split in ("train", "validation", "test"):
        (folder / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    machine = Machine(1)
    cached, head, trained = measure(machine, prepare_for(str(folder), str(distilbert)), threads=1)
    tokens, width, inner = 10 * 6, 12, 20  # [CLS] w w [SEP] w [SEP]
    layer = 2 * (4 * width**2 + 2 * width * inner) + 2 * 2 * 6 * width  # a token's operations
    assert cached.half + cached.single == tokens * 3 * layer
    assert cached.padding == head.padding == 0
    assert cached.bytes == head.bytes == tokens * width * (4 if cached.half == 0 else 2)
    assert head.half == 0
    assert head.single > 3 * tokens * 2 * (12 * 128 + 512 * 128) * 0.9
    assert trained.half + trained.single > head.single + 2 * 2 * tokens * layer
    for case in (cached, head, trained):
        assert 0 < case.reached < 1


def test_the_shares_of_a_plan_take_the_head_out_of_the_trained_layers() -> None:
    kept: dict[str, Any] = {"threads": 1, "bytes": 0.0, "padding": 0.0, "floor": 1.0}
    cases = [
        Case(name="frozen", half=80.0, single=0.0, seconds=2.0, **kept),
        Case(name="head", half=0.0, single=6.0, seconds=3.0, **kept),
        Case(name="trained", half=60.0, single=6.0, seconds=7.0, **kept),
    ]
    rates = Rates(
        frozen={"float32": 1.0, "bfloat16": 50.0}, trained={"float32": 4.0, "bfloat16": 20.0}
    )
    shares = plan_shares(cases, rates, "bfloat16")
    assert shares == pytest.approx({"frozen": 0.8, "trained": 0.75, "head": 0.5})


def test_a_sample_has_the_asked_pairs_once(tmp_path: Path) -> None:
    import pandas as pd

    sample_pairs("embedded", tmp_path / "some", train=17, others=5)
    sizes = {s: pd.read_parquet(tmp_path / "some" / f"{s}.parquet") for s in ("train", "test")}
    assert (len(sizes["train"]), len(sizes["test"])) == (17, 5)
    assert not sizes["train"].duplicated().any()
