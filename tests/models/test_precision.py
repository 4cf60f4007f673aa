"""Guards the choice of device, a GPU's precision and the number of threads on this machine."""

import torch

from models.precision import choose_device, gpu_precision, single_thread


def test_the_device_is_a_gpu_only_if_torch_sees_one() -> None:
    assert (choose_device().type == "cuda") == torch.cuda.is_available()


def test_only_a_gpu_has_a_precision_of_its_own() -> None:
    assert (gpu_precision() in ("float32", "bfloat16")) == torch.cuda.is_available()


def test_the_number_of_threads_is_restored() -> None:
    before = torch.get_num_threads()
    with single_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
