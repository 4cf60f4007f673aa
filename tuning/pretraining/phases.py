"""Runs the phases of a pretraining in order; scores, logs and saves at points; resumes exactly."""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping
from typing import Any

import torch
from rich.console import Console

from models.masked_language_model import MaskedLanguageModel
from models.precision import choose_device
from tuning.pretraining.phase_texts import PhaseText
from tuning.pretraining.progress import PretrainingProgress
from tuning.pretraining.trainer import MlmTrainer, StepResult, mean_loss
from tuning.system.atomic_files import DamagedError
from tuning.system.checkpoint_file import load_state, save_state
from tuning.system.storage_path import StoragePath
from tuning.tracking.launch_log import PARENT, LaunchLog

_POINTS = 20  # evaluation points of a phase, at equal shares of its budget
_SCORED = 512  # held-out sequences that a point is scored on; at the end all are scored
EvalPoint = dict[str, Any]  # phase, step, tokens, seconds, and the metrics that are logged


class PhaseRunner:
    """Trains all phases of a recipe; ``points`` holds the evaluation points so far.

    Args:
        texts: Phases with their texts, by name and in order.
        model: Model that is trained in place.
        precision: Number format of the matrix products: ``float32`` or ``bfloat16``.
        state: File of the training state, written at each point; an existing one is resumed.
        log: Log that gets each point.

    Raises:
        DamagedError: If the state file was altered.
    """

    def __init__(
        self,
        texts: Mapping[str, PhaseText],
        model: MaskedLanguageModel,
        *,
        precision: str,
        state: StoragePath,
        log: LaunchLog,
    ) -> None:
        self.texts, self.precision = texts, precision
        self.device = choose_device()
        self.model = model.to(self.device)
        self.state, self.log = state, log
        self._state: dict[str, Any] | None = None  # of the phase to resume
        self.points: list[EvalPoint] = []
        try:
            found = load_state(state)
        except DamagedError as error:
            raise DamagedError(f"{state}: was altered; --overwrite starts again") from error
        if found is not None:
            self._state, self.points = found

    def run(self, console: Console) -> None:
        """Train all phases to their ends, from the saved state if there is one.

        Raises:
            DivergedError: If a gradient is not finite.
            DiskError, JournalError: If the disk is full or cannot be written.
        """
        names = list(self.texts)
        first = names.index(self._state["phase"]) if self._state else 0
        for name in names[first:]:
            self._run_phase(name, console)

    def _run_phase(self, name: str, console: Console) -> None:
        """Train a phase to its end; no more than the model is left in memory."""
        training = self.prepare(name)
        if self._state is not None:
            training.load_state_dict(self._state["training"])
            self._state = None
        with PretrainingProgress(console, name, training) as progress:
            self._train(name, training, progress)

    def prepare(self, name: str) -> MlmTrainer:
        """Return the trainer of a phase before its first step, with the model as it is now."""
        return MlmTrainer(
            self.model,
            self.texts[name].training,
            self.texts[name].phase,
            precision=self.precision,
            device=self.device,
        )

    def _train(self, name: str, training: MlmTrainer, progress: PretrainingProgress) -> None:
        before = sum(point["steps"] for point in self.points if point["phase"] != name)
        since: list[StepResult] = []
        last = int(training.done_fraction * _POINTS)
        for result in training.run(_POINTS):
            since.append(result)
            progress.advance(result)
            if int(result.done_fraction * _POINTS) > last:
                last = int(result.done_fraction * _POINTS)
                point = self._evaluate(name, training, since, before)
                progress.show(point)
                since = []

    def _evaluate(
        self, name: str, training: MlmTrainer, since: list[StepResult], before: int
    ) -> EvalPoint:
        """Score the model, log the metrics and save the state; return the point.

        Args:
            name: Name of the phase.
            training: Trainer of the phase.
            since: Steps since the last point.
            before: Number of steps of the phases before.
        """
        scores = training.score(self.texts[name].heldout, _SCORED)
        seconds = sum(result.seconds for result in since)
        tokens = sum(result.tokens for result in since)
        metrics = {
            "train_loss": mean_loss(since),
            **scores,
            "tokens_per_second": tokens / seconds,
            "peak_memory_mb": _peak_megabytes(),
        }
        point = {
            "phase": name,
            "steps": len(since),
            "step": before + training.step,
            "tokens": tokens,
            "seconds": seconds,
            **metrics,
        }
        self.points.append(point)
        self.log.log_step(PARENT, point["step"], metrics)
        save_state(self.state, {"phase": name, "training": training.state_dict()}, self.points)
        return point


def _peak_megabytes() -> float:
    """Return the peak memory of this process in MB (10^6 bytes), on the GPU if there is one."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
