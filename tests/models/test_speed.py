"""Guards the measurement of a machine: rates for both formats, and torch as it was before."""

import math

import torch

from models.speed import measure_rates


def test_a_measurement_gives_a_rate_for_each_format_and_leaves_torch_as_it_was() -> None:
    torch.manual_seed(3)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    rates = measure_rates()
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads
    for kind in (rates.frozen, rates.trained):
        assert sorted(kind) == ["bfloat16", "float32"]
        assert all(math.isfinite(rate) and rate > 0 for rate in kind.values())
