"""Masked-language-model training of one phase in plain PyTorch, as a generator of its steps."""

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
from models.optimizers import AdamW
from tuning.pretraining.masking import MaskedBatch, PackedText
from tuning.pretraining.recipe import DivergedError, Phase

# tokens in one pass through the encoder: on a CPU as many as its caches hold (measured)
_TOKENS_PER_PASS = {"cpu": 4096, "cuda": 65536}


@dataclass(frozen=True, kw_only=True, slots=True)
class StepResult:
    """One optimizer step.

    Args:
        step: Number of the step in its phase, from 1.
        loss: Mean loss before the step, in nats per masked piece.
        tokens: Tokens in the batch.
        seconds: Duration of the step.
        done_fraction: Share of the phase's budget that is used, in [0, 1].
    """

    step: int
    loss: float
    tokens: int
    seconds: float
    done_fraction: float


class MlmTrainer:
    """The training of one phase; ``state_dict`` has everything that the next step depends on.

    Args:
        model: Model that is trained in place, in eval mode (without dropout).
        text: Text to train on; it makes the batch of each step.
        phase: Budget, batch size and learning rates.
        precision: Number format of the matrix products, ``bfloat16`` or ``float32``; weights
            stay float32.
        device: Device of the model.
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
        self.optimizer = AdamW(
            model.parameters(),
            lr=phase.learning_rate,
            betas=phase.betas,
            weight_decay=phase.weight_decay,
            fused=True,
        )

    @property
    def done_fraction(self) -> float:
        """Return the share of the budget that is used, of steps or of time, in [0, 1]."""
        if self.phase.steps is not None:
            return min(self.step / self.phase.steps, 1.0) if self.phase.steps else 1.0
        assert self.phase.minutes is not None, "a phase has steps or minutes"
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
        """Return the share of the peak learning rate: linear warm-up, then decay to zero."""
        warmup = self.phase.warmup_fraction
        # so that the first and the last step also change the weights
        floor = 1 / self.phase.steps if self.phase.steps else 1e-3
        if done < warmup:
            return max(done / warmup, floor)
        return max((1 - done) / (1 - warmup), floor)

    def _take_step(self, batch: MaskedBatch) -> float:
        """Take one optimizer step, with gradients summed over parts; return the loss before it.

        Raises:
            DivergedError: If the gradient is not finite; the weights are not changed then.
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
                f"{total / count:g}; start again with --overwrite and a lower learning_rate"
            )
        self.optimizer.step()
        return total / count

    @property
    def _part_size(self) -> int:
        return max(_TOKENS_PER_PASS[self.device.type] // self.text.length, 1)

    def _logits(self, part: MaskedBatch) -> tuple[Tensor, Tensor]:
        """Return the logits (M, V) and the targets (M,) of the masked positions."""
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
            text: Held-out text.
            sequences: Number of sequences, the first of the text; all if it has fewer.
        """
        loss = correct = count = 0.0
        for part in text.in_order(self._part_size, sequences):
            logits, targets = self._logits(part)
            correct += (logits.argmax(dim=-1) == targets).sum().item()
            loss += torch.nn.functional.cross_entropy(
                logits.float(), targets, reduction="sum"
            ).item()
            count += len(targets)
        return {"heldout_loss": loss / count, "heldout_accuracy": correct / count}

    def state_dict(self) -> dict[str, Any]:
        """Return the weights, the state of the optimizer, the steps and the seconds so far."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state that ``state_dict`` returned."""
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
    """Return the mean loss of the steps, in nats per masked piece; NaN for no steps."""
    return math.fsum(result.loss for result in results) / len(results) if results else math.nan
