"""Guards the choice of device, a GPU's precision and the number of threads on this machine."""

from typing import Any

import pytest
import torch

from models.number_formats import Precision, read_precision
from models.precision import (
    DeviceProperties,
    choose_device,
    describe_device,
    gpu_precision,
    has_fast_products,
    single_thread,
    use_fast_products,
    use_full_float32,
)


def test_the_device_is_a_gpu_only_if_torch_sees_one() -> None:
    assert (choose_device().type == "cuda") == torch.cuda.is_available()


def test_a_description_is_that_of_the_device_that_torch_sees() -> None:
    found = describe_device()
    assert found.kind == choose_device().type
    assert found.torch_build == torch.__version__
    assert bool(found.memory) == bool(found.architectures) == torch.cuda.is_available()


@pytest.mark.parametrize(
    ("capability", "native", "text"),
    [
        ((8, 0), True, "bfloat16"),
        ((7, 5), False, "float16 frozen, float32 trained"),  # T4
        ((7, 0), False, "float16 frozen, float32 trained"),  # V100
        ((6, 1), False, "float32"),  # multiplies float16 at a 64th of float32's rate
    ],
)
def test_a_gpu_computes_in_what_it_has_instructions_for(
    capability: tuple[int, int], native: bool, text: str
) -> None:
    card = DeviceProperties(
        kind="cuda", name="x", torch_build="2", capability=capability, bfloat16=native
    )
    found = gpu_precision(card)
    assert found == read_precision(text)
    assert str(found) == text


def test_a_processor_has_no_precision_before_it_is_measured() -> None:
    assert gpu_precision(DeviceProperties(kind="cpu", name="x", torch_build="2")) is None
    assert Precision("float16", "float32") == read_precision("float16 frozen, float32 trained")


def test_no_product_of_float32_is_rounded_to_tensorfloat32() -> None:
    settings: Any = torch.backends  # these have no types
    before, alone = settings.fp32_precision, settings.cudnn.rnn.fp32_precision
    settings.cudnn.rnn.fp32_precision = "tf32"
    try:
        use_full_float32()
        assert settings.cudnn.rnn.fp32_precision == "ieee"
        assert settings.cuda.matmul.fp32_precision == "ieee"
    finally:
        settings.fp32_precision, settings.cudnn.rnn.fp32_precision = before, alone


def test_a_product_of_float32_has_the_precision_of_float32() -> None:
    settings: Any = torch.backends
    before = settings.mkldnn.matmul.fp32_precision
    one, two = torch.randn(70, 300), torch.randn(300, 90)
    expected = one.double() @ two.double()
    rounded = (one.bfloat16() @ two.bfloat16() - expected).abs().max()
    try:
        use_fast_products()
        assert (one @ two - expected).abs().max() < rounded / 1000
    finally:
        settings.mkldnn.matmul.fp32_precision = before


def test_whether_products_are_fast_is_found_without_a_change() -> None:
    settings: Any = torch.backends
    before = settings.mkldnn.matmul.fp32_precision
    has_fast_products.cache_clear()
    assert has_fast_products() in (True, False)
    assert settings.mkldnn.matmul.fp32_precision == before


def test_the_number_of_threads_is_restored() -> None:
    before = torch.get_num_threads()
    with single_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
