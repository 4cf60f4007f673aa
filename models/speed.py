"""Measurement of a machine's cores: how fast a layer like an encoder's runs in each format.

Shapes: B rows, T tokens of a row, D width of the layer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from models.classifier import autocast
from models.number_formats import BFLOAT16, FLOAT32, Rates
from models.precision import single_thread, use_fast_products

_WIDTH, _HEADS, _TOKENS = 384, 12, 40  # between DistilBERT and small encoders; a pair of sentences
_FROZEN_ROWS = 48  # half of a batch of the frozen pass: larger ones are not faster
_TRAINED_ROWS = 8  # a quarter of a usual batch, for the same reason
_TICK = 1e-6  # seconds; no clock reads less than its own steps
_ROUNDS, _SECONDS = 3, 0.3  # after the first: rounds, and the seconds after which none begins

Clock = Callable[[], float]  # seconds


class _Layer(nn.Module):
    """A transformer layer as DistilBERT and BERT have it, without dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.projections = nn.ModuleList(nn.Linear(_WIDTH, _WIDTH) for _ in range(4))
        self.up, self.down = nn.Linear(_WIDTH, 4 * _WIDTH), nn.Linear(4 * _WIDTH, _WIDTH)
        self.norms = nn.ModuleList(nn.LayerNorm(_WIDTH) for _ in range(2))

    def forward(self, states: Tensor) -> Tensor:
        """Return the states (B, T, D) after this layer, of states (B, T, D)."""
        query, key, value = (
            projection(states).unflatten(-1, (_HEADS, -1)).transpose(1, 2)
            for projection in self.projections[:3]
        )  # (B, heads, T, D / heads)
        weights = (query @ key.transpose(-1, -2)).softmax(dim=-1)
        mixed = self.projections[3]((weights @ value).transpose(1, 2).flatten(2))
        states = self.norms[0](states + mixed)
        return self.norms[1](states + self.down(nn.functional.gelu(self.up(states))))


Run = Callable[[_Layer, Tensor, str], None]


def measure_rates() -> Rates:
    """Return the rates of this machine's cores, measured in less than a second on idle ones.

    The best of a few rounds counts, in which the formats take turns. Other programs do not count
    on one core, where the time is that in which this program has it. The rate of all cores, which
    wait for each other, is at least that of one. Torch's generator and number of threads stay as
    they are.

    Raises:
        RuntimeError: If the layer cannot be run.
    """
    use_fast_products()
    with torch.random.fork_rng(devices=[]):
        layer = _Layer()
        many, few = (torch.randn(rows, _TOKENS, _WIDTH) for rows in (_FROZEN_ROWS, _TRAINED_ROWS))
    weights = sum(weight.numel() for weight in layer.parameters() if weight.dim() == 2)
    forward = 2 * weights * _TOKENS  # operations of a row

    def rates(run: Run, states: Tensor, operations: int, clock: Clock) -> dict[str, float]:
        works = {name: partial(run, layer, states, name) for name in (FLOAT32, BFLOAT16)}
        return {
            name: len(states) * operations / seconds
            for name, seconds in _fastest(works, clock).items()
        }

    all_cores = rates(_run, many, forward, time.perf_counter)
    with single_thread():
        one_core = rates(_run, few, forward, time.process_time)
        trained = rates(_train, few, 3 * forward, time.process_time)
    frozen = {name: max(rate, one_core[name]) for name, rate in all_cores.items()}
    return Rates(frozen=frozen, trained=trained)


def _run(layer: _Layer, states: Tensor, precision: str) -> None:
    with torch.no_grad(), autocast(states.device, getattr(torch, precision)):
        layer(states)


def _train(layer: _Layer, states: Tensor, precision: str) -> None:
    with autocast(states.device, getattr(torch, precision)):
        result = layer(states)
    torch.autograd.grad(result.float().sum(), list(layer.parameters()))


def _fastest(works: dict[str, Callable[[], None]], clock: Clock) -> dict[str, float]:
    """Return the least seconds of each work; the first round, which sets things up, is not timed.

    A slow machine gets one round.

    Args:
        works: Functions by name.
        clock: Clock to measure with.
    """
    for work in works.values():
        work()
    best, started = dict.fromkeys(works, float("inf")), time.perf_counter()
    for _ in range(_ROUNDS):
        for name, work in works.items():
            before = clock()
            work()
            best[name] = min(best[name], max(clock() - before, _TICK))
        if time.perf_counter() - started > _SECONDS:
            break
    return best
