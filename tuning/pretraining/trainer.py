"""Masked-language-model training of one phase in plain PyTorch, as a generator of its steps."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models.batches import made_ahead
from models.masked_language_model import MaskedLanguageModel, summed_loss, use_attention_of
from models.optimizers import AdamW
from models.pass_size import fitting_sequences
from models.precision import use_fast_products
from tuning.pretraining.masking import PackedText, Part, host_tensors, split
from tuning.pretraining.recipe import DivergedError, Phase

# Steps between two looks at losses and gradients: a GPU and the host wait for each other there.
_STEPS_BETWEEN_LOOKS = {"cpu": 1, "cuda": 32}


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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Unread:
    """A step's summed losses by part, the number of their pieces, and the gradient's norm."""

    losses: list[Tensor]
    count: int
    norm: Tensor


class MlmTrainer:
    """The training of one phase; ``state_dict`` has everything that the next step depends on.

    Args:
        model: Model that is trained in place, in eval mode (without dropout).
        text: Text to train on; it makes the batch of each step.
        phase: Budget, batch size and learning rates.
        precision: Number format of the matrix products, ``bfloat16`` or ``float32``; weights
            stay float32.
        device: Device of the model.
        ahead: Whether a thread makes each batch while the one before is trained; by default where
            the host would otherwise keep a GPU waiting.

    Attributes:
        part_size: Number of sequences in one pass through the encoder.
    """

    def __init__(
        self,
        model: MaskedLanguageModel,
        text: PackedText,
        phase: Phase,
        *,
        precision: str,
        device: torch.device,
        ahead: bool | None = None,
    ) -> None:
        self.model, self.text, self.phase, self.device = model, text, phase, device
        self.precision = getattr(torch, precision)
        self._between = _STEPS_BETWEEN_LOOKS[device.type]
        self._pinned = device.type == "cuda"
        self._ahead = self._pinned if ahead is None else ahead
        use_fast_products()
        use_attention_of(model, device)
        self.part_size = fitting_sequences(model, text.length, text.options.mask_fraction, device)
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

    def run(self, points: int = 1) -> Iterator[StepResult]:
        """Train until the budget is used, yielding after each step.

        On a GPU the steps are yielded in groups, whose losses are read together; ``step`` and
        ``seconds`` of the trainer, and the weights, are those after the group.

        Args:
            points: A group ends where one of so many equal parts of the budget does.

        Raises:
            DivergedError: If a gradient is not finite.
        """
        with closing(self._batches()) as batches:
            while self.done_fraction < 1:
                yield from self._run_group(batches, points)

    def _batches(self) -> Generator[list[Part]]:
        """Yield the parts of the batch of each coming step."""
        made = (self._batch(number) for number in itertools.count(self.step))
        yield from made_ahead(made) if self._ahead else made

    def _batch(self, number: int) -> list[Part]:
        batch = self.text.batch(number, self.phase.batch_size)
        return [host_tensors(part, pinned=self._pinned) for part in split(batch, self.part_size)]

    def _run_group(self, batches: Iterator[list[Part]], points: int) -> list[StepResult]:
        """Train up to the next look at the losses, and return the results of these steps."""
        started, before, first = time.perf_counter(), self.seconds, self.step
        point = int(self.done_fraction * points)
        losses, unread, fractions = [], [], []
        while len(fractions) < self._between and int(self.done_fraction * points) == point:
            for group in self.optimizer.param_groups:
                group["lr"] = self.phase.learning_rate * self._share(self.done_fraction)
            unread.append(self._accumulate(next(batches)))
            if len(unread) == self._between:
                losses, unread = self._read(unread, first), []
            self.optimizer.step()
            self.step += 1
            self.seconds = before + time.perf_counter() - started
            fractions.append(self.done_fraction)
        losses = losses or self._read(unread, first)
        seconds = (time.perf_counter() - started) / len(losses)
        self.seconds = before + seconds * len(losses)  # with the time that a GPU needed
        fractions[-1] = self.done_fraction
        return [
            StepResult(
                step=first + number,
                loss=loss,
                tokens=self.phase.batch_size * self.text.length,
                seconds=seconds,
                done_fraction=done,
            )
            for number, (loss, done) in enumerate(zip(losses, fractions, strict=True), start=1)
        ]

    def _share(self, done: float) -> float:
        """Return the share of the peak learning rate: linear warm-up, then decay to zero."""
        warmup = self.phase.warmup_fraction
        floor = 1 / self.phase.steps if self.phase.steps else 1e-3  # no step without effect
        if done < warmup:
            return max(done / warmup, floor)
        return max((1 - done) / (1 - warmup), floor)

    def _accumulate(self, parts: list[Part]) -> _Unread:
        """Leave the clipped gradient of a batch, summed over its parts, in the weights."""
        self.optimizer.zero_grad()
        count, losses = sum(len(targets) for *_, targets in parts), []
        for part in parts:
            loss = summed_loss(*self._logits(part))
            (loss / count).backward()
            losses.append(loss.detach())
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.phase.clip_norm)
        return _Unread(losses=losses, count=count, norm=norm)

    def _read(self, unread: list[_Unread], first: int) -> list[float]:
        """Return the loss before each of these steps, in nats per masked piece.

        Args:
            unread: Steps whose losses were not yet read.
            first: Number of steps before them.

        Raises:
            DivergedError: If a gradient is not finite; on a GPU some more steps may be taken then.
        """
        values = iter(torch.stack([v for one in unread for v in (*one.losses, one.norm)]).tolist())
        found = []
        for number, step in enumerate(unread, start=first + 1):
            total, norm = sum(next(values) for _ in step.losses), next(values)
            if not math.isfinite(norm):
                raise DivergedError(
                    f"step {number}: the gradient must be finite, got {norm:g}, at a loss of "
                    f"{total / step.count:g}; start again with --overwrite and a lower "
                    "learning_rate"
                )
            found.append(total / step.count)
        return found

    def _logits(self, part: Part) -> tuple[Tensor, Tensor]:
        """Return the logits (M, V) and the targets (M,) of the masked positions."""
        tokens, starts, chosen, targets = (
            tensor.to(self.device, non_blocking=True) for tensor in part
        )
        enabled = self.precision != torch.float32
        with torch.autocast(self.device.type, self.precision, enabled=enabled):
            return self.model(tokens, starts, chosen), targets

    @torch.inference_mode()
    def score(self, text: PackedText, sequences: int) -> dict[str, float]:
        """Return ``heldout_loss`` in nats per masked piece and ``heldout_accuracy`` in [0, 1].

        Args:
            text: Held-out text.
            sequences: Number of sequences, the first of the text; all if it has fewer.
        """
        losses, correct, count = [], [], 0
        for part in text.in_order(self.part_size, sequences):
            logits, targets = self._logits(host_tensors(part, pinned=self._pinned))
            correct.append((logits.argmax(dim=-1) == targets).sum())
            losses.append(nn.functional.cross_entropy(logits.float(), targets, reduction="sum"))
            count += len(targets)
        loss, right = (sum(torch.stack(each).tolist()) for each in (losses, correct))
        return {"heldout_loss": loss / count, "heldout_accuracy": right / count}

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


def mean_loss(results: list[StepResult]) -> float:
    """Return the mean loss of the steps, in nats per masked piece; NaN for no steps."""
    return math.fsum(result.loss for result in results) / len(results) if results else math.nan
