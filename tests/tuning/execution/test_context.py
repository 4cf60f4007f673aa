"""Guards what trials share and get: inputs from the GPUs' nodes, and GPUs that are used alike."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
import torch

from models.encoder import load_encoder
from models.frozen_pass import FrozenEncoder, encode_each
from models.precision import DeviceProperties
from models.split_parts import split_sequences
from models.tokens import TokenTable
from tuning.execution.context import encode_on_gpus
from tuning.execution.node_checks import find_device, weakest
from tuning.training.gpu_memory import spread_share

GPUS = 4  # that Ray pretends to have


@pytest.fixture(scope="module")
def pretended_gpus() -> Iterator[None]:
    """Start Ray with GPUs that are not there, in a process that sees none."""
    ray.init(num_cpus=GPUS, num_gpus=GPUS, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def rows(lengths: list[int]) -> TokenTable:
    """Return a table of random tokens."""
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    tokens = np.random.default_rng(0).integers(5, 50, offsets[-1])
    ones = np.ones(offsets[-1], dtype=np.uint8)
    return TokenTable(tokens=tokens, segments=ones, offsets=offsets, pairs=len(lengths))


@pytest.mark.slow
@pytest.mark.usefixtures("pretended_gpus")
def test_a_driver_without_a_gpu_gets_states_from_all_gpus_nodes(distilbert: Path) -> None:
    one, two = (load_encoder(distilbert, depth, attention="eager")[0] for depth in (1, 2))
    frozen = FrozenEncoder(
        lower=lambda: one,
        encoder_fingerprint="x",
        depth=1,
        precision=torch.float32,
        device=torch.device("cuda"),  # what the nodes have, and this process need not
        elsewhere=encode_on_gpus,
    )
    outputs = [replace(frozen, lower=lambda: two, depth=2), frozen]
    table, counted = rows([3, 9]), []
    states = encode_each(outputs, table, counted.append)
    cpu = torch.device("cpu")
    here = encode_each([replace(each, elsewhere=None, device=cpu) for each in outputs], table)
    np.testing.assert_allclose(states, here, atol=1e-5)
    assert counted == [1, 1]


@pytest.mark.slow
@pytest.mark.usefixtures("pretended_gpus")
def test_trials_are_on_all_gpus() -> None:
    class Trial:  # in here, so that its process imports nothing of this file
        def gpus(self) -> list[Any]:
            return [*ray.get_gpu_ids()]

    def used(share: float) -> Counter[Any]:
        actor: Any = ray.remote(num_gpus=share, num_cpus=1)(Trial)
        actors = [actor.remote() for _ in range(GPUS)]
        found = ray.get([each.gpus.remote() for each in actors])
        return Counter(gpu for (gpu,) in found)

    assert list(used(1 / 20).values()) == [GPUS]  # what memory allows, and Ray makes of it
    assert list(used(spread_share(1 / 20, GPUS, GPUS)).values()) == [1] * GPUS


@pytest.mark.slow
@pytest.mark.usefixtures("pretended_gpus")
def test_gpus_that_torch_does_not_see_are_not_taken_for_gpus() -> None:
    assert find_device("bfloat16").kind == "cpu"


def test_parts_of_the_sequences_have_all_of_them_in_order() -> None:
    table = rows([3, 9, 4, 4, 7, 2, 5])
    parts = split_sequences(table, 3)
    assert len(parts) == 3
    assert max(len(part.tokens) for part in parts) <= 17  # of 34 in all
    np.testing.assert_array_equal(np.concatenate([p.tokens for p in parts]), table.tokens)
    np.testing.assert_array_equal(np.concatenate([p.lengths for p in parts]), table.lengths)
    assert [part.pairs for part in parts] == [part.rows for part in parts]
    assert [part.rows for part in split_sequences(rows([6]), 4)] == [1]


def test_precision_and_shares_are_those_of_the_weakest_gpu() -> None:
    large = DeviceProperties(
        kind="cuda", name="V100", torch_build="2", capability=(7, 0), memory=32, node="a"
    )
    small = DeviceProperties(
        kind="cuda",
        name="A2",
        torch_build="2",
        capability=(8, 6),
        bfloat16=True,
        memory=16,
        node="b",
    )
    assert weakest([large, small]) == replace(small, capability=(7, 0), bfloat16=False)
    assert weakest([small]) == small
