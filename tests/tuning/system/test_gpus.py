"""Guards the check of GPUs: what a torch was built for, and a torch that cannot be loaded."""

from pathlib import Path

import pytest
import torch

from models.precision import DeviceProperties
from tuning.system import gpus
from tuning.system.gpus import check_gpus, describe_gpu, is_supported, refuse_gpu

BUILT = ["sm_75", "sm_80", "sm_90", "compute_90"]


@pytest.mark.parametrize(
    ("capability", "supported"),
    [
        ((7, 5), True),
        ((8, 6), True),  # machine code of the same major number
        ((12, 0), True),  # translated by the driver
        ((7, 0), False),
        ((6, 1), False),
    ],
)
def test_code_runs_on_its_major_number_or_is_translated_for_later_ones(
    capability: tuple[int, int], supported: bool
) -> None:
    assert is_supported(capability, BUILT) == supported


def test_without_code_to_translate_a_later_gpu_is_not_supported() -> None:
    assert not is_supported((12, 0), ["sm_90a", "sm_100", "unknown"])
    assert is_supported((10, 3), ["sm_100"])


def test_a_gpu_that_torch_has_no_code_for_is_a_fault_with_the_way_out() -> None:
    old = describe_gpu(["GTX 1080", 8e9, [6, 1]], BUILT)
    assert old.text == (
        "GTX 1080, 8.0 GB, sm_61: this torch has code for sm_75, sm_80, sm_90, compute_90 alone"
    )
    assert old.stops
    assert "CUDA_VISIBLE_DEVICES=-1" in old.way_out
    new = describe_gpu(["H100", 80e9, [9, 0]], BUILT)
    assert (new.text, new.stops) == ("H100, 80.0 GB, sm_90, supported by this torch", False)


def test_a_launch_on_a_gpu_that_torch_has_no_code_for_is_refused_with_the_way_out() -> None:
    old = DeviceProperties(
        kind="cuda", name="GTX 1080", torch_build="2", capability=(6, 1), architectures=("sm_75",)
    )
    assert refuse_gpu(old, "auto") == (
        "GTX 1080, sm_61: torch 2 has code for sm_75 alone; install a torch for this GPU, or hide "
        "it with CUDA_VISIBLE_DEVICES=-1"
    )


def test_bfloat16_that_would_be_emulated_is_refused() -> None:
    t4 = DeviceProperties(
        kind="cuda", name="T4", torch_build="2", capability=(7, 5), architectures=("sm_75",)
    )
    assert "T4 has no instructions for it" in str(refuse_gpu(t4, "bfloat16"))
    assert refuse_gpu(t4, "auto") is None
    assert refuse_gpu(DeviceProperties(kind="cpu", name="x", torch_build="2"), "bfloat16") is None


def test_the_gpus_of_this_machine_are_those_that_torch_sees() -> None:
    assert len(check_gpus()) == max(1, torch.cuda.device_count())
    assert not any("cannot be loaded" in finding.text for finding in check_gpus())


def test_a_torch_that_cannot_be_loaded_is_a_fault_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libgomp.so.1: cannot open')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (found,) = check_gpus()
    assert found.text == "cannot be loaded: ImportError: libgomp.so.1: cannot open"
    assert found.stops
    assert "--force-reinstall torch" in found.way_out


def test_a_torch_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "_PROGRAM", "import time; time.sleep(60)")
    (found,) = check_gpus(0.2)
    assert found.text == "cannot be loaded: was not loaded within 0.2 seconds"
