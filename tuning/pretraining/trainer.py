"""Masked-language-model training: plain PyTorch, a generator of what was reached."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.masked_language_model import MaskedLanguageModel, summed_loss
from tuning.pretraining.masking import MaskedBatch, PackedText
from tuning.pretraining.recipe import DivergedError, Phase

# tokens that pass through the encoder together: on a CPU what stays in its caches, measured
_TOGETHER = {"cpu": 4096, "cuda": 65536}


@dataclass(frozen=True, kw_only=True, slots=True)
class StepResult:
    """One optimizer step: the mean loss in nats per masked piece, and what it took."""

    step: int
    loss: float
    tokens: int
    seconds: float
    done_fraction: float


class MlmTrainer:
    """A phase of training under way; ``state_dict`` has all that the next step depends on.

    Args:
        model: Trained in place, in eval mode.
        text: Gives the batch of each step.
        phase: Budget, rates and sizes.
        precision: ``bfloat16`` or ``float32``, of the products; weights stay float32.
        device: Where the model is.
    """

    def __init__(
        self,
        model: MaskedLanguageModel,
        text: PackedText,
        phase: Phase,
        *,
        precision: str,
        device: torch.device,
    ) -> None:
        self.model, self.text, self.phase, self.device = model, text, phase, device
        self.precision = getattr(torch, precision)
        self.step = 0
        self.seconds = 0.0
        self.optimizer = torch.optim.AdamW(
            model.parameters(),
            lr=phase.learning_rate,
            betas=phase.betas,
            weight_decay=phase.weight_decay,
            fused=True,
        )

    @property
    def done_fraction(self) -> float:
        """Return the share of the budget that is used, of steps or of time."""
        if self.phase.steps is not None:
            return min(self.step / self.phase.steps, 1.0) if self.phase.steps else 1.0
        assert self.phase.minutes is not None, "the configuration has one of the two"
        return min(self.seconds / 60 / self.phase.minutes, 1.0)

    def run(self) -> Iterator[StepResult]:
        """Train until the budget is used, yielding after each step.

        Raises:
            DivergedError: If a gradient is not finite.
        """
        while (done := self.done_fraction) < 1:
            started = time.perf_counter()
            for group in self.optimizer.param_groups:
                group["lr"] = self.phase.learning_rate * self._share(done)
            loss = self._take_step(self.text.batch(self.step, self.phase.batch_size))
            seconds = time.perf_counter() - started
            self.step += 1
            self.seconds += seconds
            yield StepResult(
                step=self.step,
                loss=loss,
                tokens=self.phase.batch_size * self.text.length,
                seconds=seconds,
                done_fraction=self.done_fraction,
            )

    def _share(self, done: float) -> float:
        """Return the share of the peak rate: up in a straight line, then down to zero."""
        warmup = self.phase.warmup_fraction
        # the first step moves too, and the last one
        floor = 1 / self.phase.steps if self.phase.steps else 1e-3
        if done < warmup:
            return max(done / warmup, floor)
        return max((1 - done) / (1 - warmup), floor)

    def _take_step(self, batch: MaskedBatch) -> float:
        """Return the loss before the step; gradients are summed over parts of the batch.

        Raises:
            DivergedError: If the gradient is not finite; weights are those before the step.
        """
        self.optimizer.zero_grad()
        total, count = 0.0, len(batch.targets)
        for part in split(batch, self._part_size):
            loss = self._loss(part)
            (loss / count).backward()
            total += loss.item()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.phase.clip_norm)
        if not math.isfinite(norm):
            raise DivergedError(
                f"step {self.step + 1}: the gradient must be finite, got {norm:g}, at a loss of "
                f"{total / count:g}; begin anew with a lower learning_rate"
            )
        self.optimizer.step()
        return total / count

    @property
    def _part_size(self) -> int:
        return max(_TOGETHER[self.device.type] // self.text.length, 1)

    def _logits(self, part: MaskedBatch) -> tuple[Tensor, Tensor]:
        tokens, chosen, targets, starts = (
            torch.from_numpy(array).to(self.device)
            for array in (part.tokens, part.chosen, part.targets, part.starts)
        )
        enabled = self.precision != torch.float32
        with torch.autocast(self.device.type, self.precision, enabled=enabled):
            return self.model(tokens, starts, chosen), targets

    def _loss(self, part: MaskedBatch) -> Tensor:
        return summed_loss(*self._logits(part))

    @torch.inference_mode()
    def score(self, text: PackedText, sequences: int) -> dict[str, float]:
        """Return ``heldout_loss`` in nats per masked piece and ``heldout_accuracy`` in [0, 1].

        Args:
            text: That training does not see.
            sequences: At most so many of it, the first ones.
        """
        loss = right = count = 0.0
        for part in text.in_order(self._part_size, sequences):
            logits, targets = self._logits(part)
            right += (logits.argmax(dim=-1) == targets).sum().item()
            loss += torch.nn.functional.cross_entropy(
                logits.float(), targets, reduction="sum"
            ).item()
            count += len(targets)
        return {"heldout_loss": loss / count, "heldout_accuracy": right / count}

    def state_dict(self) -> dict[str, Any]:
        """Return weights, optimizer, steps and seconds."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]


def split(batch: MaskedBatch, size: int) -> Iterator[MaskedBatch]:
    """Yield the batch in parts of at most ``size`` sequences, in order."""
    ends = np.cumsum(batch.chosen.sum(axis=1))
    for first in range(0, len(batch.tokens), size):
        rows = slice(first, first + size)
        before = int(ends[first - 1]) if first else 0
        after = int(ends[min(first + size, len(ends)) - 1])
        yield MaskedBatch(
            tokens=batch.tokens[rows],
            chosen=batch.chosen[rows],
            targets=batch.targets[before:after],
            starts=batch.starts[rows],
        )


def mean_loss(results: list[StepResult]) -> float:
    """Return the mean of the steps' losses; NaN for none."""
    return math.fsum(r.loss for r in results) / len(results) if results else math.nan
