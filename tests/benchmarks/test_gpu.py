"""Guards the GPU's script as far as a CPU can: every part runs, and fails alone."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import gpu
from benchmarks.gpu import PARTS, Part, main, run_parts
from benchmarks.gpu_bench import SMALL, Bench
from benchmarks.gpu_rates import repeated
from models.tokens import TokenTable
from tuning.system.project import ROOT

CPU = torch.device("cpu")
NEED_A_GPU = {"memory", "memory_of_seeds", "pretraining_eager", "pretraining_compiled", "captured"}
WITHOUT_RAY = """
import runpy, sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        absent = name.split(".")[0] in {"ray", "mlflow", "optuna"}
        return None if absent else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Without
sys.argv[0] = "gpu.py"
runpy.run_module("benchmarks.gpu", run_name="__main__")
"""


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Return a folder of ten pairs in each split."""
    lines = ["first\tsecond\tlabel", *(f"w{n} w{n + 1}\tw{n + 2}\t{n % 2}" for n in range(10))]
    for split in ("train", "validation", "test"):
        (tmp_path / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    return tmp_path


@pytest.mark.slow
def test_every_part_runs_without_ray_mlflow_and_optuna(distilbert: Path, pairs: Path) -> None:
    words = ["--device", "cpu", "--small", "--data", str(pairs), "--encoder", str(distilbert)]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_RAY, *words, "--output", str(pairs / "lines")],
        cwd=ROOT,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (pairs / "lines").read_text() == done.stdout
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["part"] for line in lines] == list(PARTS)
    found = {line["part"]: line["numbers"] for line in lines if "left_out" not in line}
    assert set(PARTS) - set(found) == NEED_A_GPU
    check_numbers(found)


def check_numbers(found: dict[str, Any]) -> None:
    assert min(found["rates"]["operations_per_second"].values()) > 0
    assert found["probabilities"]["cpu sdpa float32"]["largest"] < 1e-5
    assert found["probabilities"]["cpu eager bfloat16"]["mean"] > 0
    assert found["heads"]["cross_attention"]["stacked_2"] > 0
    assert found["heads"]["bilstm_attention"] == found["heads"]["bilstm_attention"] | {
        "stacked_1": None,  # it cannot be stacked
        "stacked_2": None,
    }
    assert found["grid_of_large"]["cells"] == 12
    for kernels in found["repeated_trainings"].values():
        for name, case in kernels.items():
            if name != "warned":
                assert not any([*case["repeated"].values(), *case["resumed"].values()])
    assert found["processes"]["2"]["steps_per_second"] > 0
    assert found["pretraining"]["embedded_size"]["tokens_per_second"] > 0
    assert found["frozen_pass"]["bfloat16"]["finite"]


def bench(folder: Path) -> Bench:
    return Bench(CPU, "embedded", None, SMALL, folder)


def fail(_: Bench) -> dict[str, Any]:
    raise RuntimeError("out of memory\nand much more")


def test_a_part_that_fails_leaves_the_others_their_numbers(tmp_path: Path) -> None:
    parts = {"one": Part(work=fail), "two": Part(work=lambda _: {"value": 3})}
    one, two = run_parts(bench(tmp_path), parts)
    assert one["error"] == "RuntimeError: out of memory"
    assert two["numbers"] == {"value": 3}


def test_a_part_is_left_out_when_its_time_is_up(tmp_path: Path) -> None:
    short = bench(tmp_path)
    short.deadline = 0.0
    (line,) = run_parts(short, {"one": Part(work=fail, seconds=30)})
    assert line == {"part": "one", "left_out": "needs about 30 s, 0 s are left"}


def test_a_part_that_needs_a_gpu_is_left_out_on_a_cpu(tmp_path: Path) -> None:
    (line,) = run_parts(bench(tmp_path), {"one": Part(work=fail, on_cpu=False)})
    assert line == {"part": "one", "left_out": "needs a GPU"}


@pytest.mark.parametrize(("work", "code"), [(fail, 1), (lambda _: {"value": 1 / 3}, 0)])
def test_the_exit_code_tells_of_a_failed_part(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    work: Any,  # noqa: ANN401 - either of two functions
    code: int,
) -> None:
    monkeypatch.setattr(gpu, "PARTS", {"one": Part(work=work)})
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--device", "cpu", "--small"])
    assert main() == code
    line = json.loads(capsys.readouterr().out)
    assert line.get("numbers", {"value": 0.33333}) == {"value": 0.33333}


def test_repeated_rows_follow_each_other() -> None:
    table = TokenTable(
        tokens=np.arange(5, dtype=np.int32),
        segments=np.arange(5, dtype=np.uint8),
        offsets=np.array([0, 2, 5]),
        pairs=2,
    )
    twice = repeated(table, 2)
    assert twice.offsets.tolist() == [0, 2, 5, 7, 10]
    assert twice.tokens.tolist() == [*range(5), *range(5)]
    assert twice.pairs == 4


def test_the_grid_of_a_card_encodes_pairs_together_as_its_records_did(tmp_path: Path) -> None:
    trials = bench(tmp_path).embedded.trials
    assert {(trial.encoding, trial.cosine_feature) for trial in trials} == {("pair", False)}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_the_way_out_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    assert main() == 2
    assert "torch finds no CUDA device; --device cpu --small tries the script itself" in (
        capsys.readouterr().err
    )
