"""Guards the choice of device, precision and threads on this machine."""

import pytest
import torch

from models.precision import choose_device, choose_precision, single_thread


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_named_precision_is_kept(precision: str) -> None:
    assert choose_precision(precision) == precision


def test_auto_precision_is_one_of_the_two() -> None:
    assert choose_precision("auto") in ("float32", "bfloat16")


def test_the_device_is_a_gpu_only_if_torch_sees_one() -> None:
    assert (choose_device().type == "cuda") == torch.cuda.is_available()


def test_the_number_of_threads_is_restored() -> None:
    before = torch.get_num_threads()
    with single_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
