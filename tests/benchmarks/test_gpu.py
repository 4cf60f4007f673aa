"""Guards the GPU's script as far as a CPU can: it runs, and says what is missing."""

import sys
from pathlib import Path

import pytest
import torch

from benchmarks.gpu import frozen_pass, grid, grid_seconds, main

CPU = torch.device("cpu")


def test_pass_and_grid_run_stacked_and_one_by_one(distilbert: Path, tmp_path: Path) -> None:
    lines = ["first\tsecond\tlabel", *(f"w{n} w{n + 1}\tw{n + 2}\t{n % 2}" for n in range(10))]
    for split in ("train", "validation", "test"):
        (tmp_path / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    prepared = grid(str(tmp_path), str(distilbert), epochs=1)
    assert len(prepared.trials) == 12
    assert frozen_pass(prepared, CPU, torch.float32) > 0
    for stacked in (False, True):
        seconds = grid_seconds(prepared, CPU, stacked=stacked)
        assert set(seconds) == {"shared", "trained"}
        assert min(seconds.values()) > 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_the_way_out_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    assert main() == 2
    assert "torch finds no CUDA device; --device cpu tries the script itself" in (
        capsys.readouterr().err
    )
