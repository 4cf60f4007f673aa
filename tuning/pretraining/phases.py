"""The course of a pretraining: its phases one after another, points on the way, exact resuming."""

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
from tuning.pretraining.recipe import Phase
from tuning.pretraining.trainer import MlmTrainer, StepResult, mean_loss
from tuning.system.atomic_files import DamagedError
from tuning.system.checkpoint_file import load_state, save_state
from tuning.system.storage_path import StoragePath
from tuning.tracking.launch_log import PARENT, LaunchLog

_POINTS = 20  # of each phase, at equal shares of its budget: scored, logged and kept
_SCORED = 512  # held-out sequences at a point; at the end all are scored
EvalPoint = dict[str, Any]  # phase, step, tokens, seconds, and the numbers that are logged


class PhaseRunner:
    """All phases of a recipe; ``points`` are what was reached so far.

    Args:
        phases: By name, in order.
        texts: Of each phase.
        model: Trained in place.
        precision: Of the products.
        state: The file that is gone on from, written at each point.
        log: Gets each point.

    Raises:
        DamagedError: If the state was altered.
    """

    def __init__(
        self,
        phases: Mapping[str, Phase],
        texts: Mapping[str, PhaseText],
        model: MaskedLanguageModel,
        *,
        precision: str,
        state: StoragePath,
        log: LaunchLog,
    ) -> None:
        self.phases, self.texts, self.precision = phases, texts, precision
        self.device = choose_device()
        self.model = model.to(self.device)
        self.state, self.log = state, log
        self._begun: dict[str, Any] | None = None
        self.points: list[EvalPoint] = []
        try:
            found = load_state(state)
        except DamagedError as error:
            raise DamagedError(f"{state}: was altered; --overwrite begins anew") from error
        if found is not None:
            self._begun, self.points = found

    def run(self, console: Console) -> None:
        """Train all phases to their ends.

        Raises:
            DiskError, JournalError: If the disk is full or cannot be written.
        """
        names = list(self.phases)
        first = names.index(self._begun["phase"]) if self._begun else 0
        for name in names[first:]:
            training = self.prepare(name)
            if self._begun is not None:
                training.load_state_dict(self._begun["training"])
                self._begun = None
            with PretrainingProgress(console, name, training) as progress:
                self._train(name, training, progress)

    def prepare(self, name: str) -> MlmTrainer:
        """Return a phase before its first step, on the model as it is."""
        return MlmTrainer(
            self.model,
            self.texts[name].training,
            self.phases[name],
            precision=self.precision,
            device=self.device,
        )

    def _train(self, name: str, training: MlmTrainer, progress: PretrainingProgress) -> None:
        before = sum(p["steps"] for p in self.points if p["phase"] != name)
        since: list[StepResult] = []
        last = int(training.done_fraction * _POINTS)
        for result in training.run():
            since.append(result)
            progress.advance(result)
            if int(result.done_fraction * _POINTS) > last:
                last = int(result.done_fraction * _POINTS)
                point = self._reach(name, training, since, before)
                progress.show(point)
                since = []

    def _reach(
        self, name: str, training: MlmTrainer, since: list[StepResult], before: int
    ) -> EvalPoint:
        """Score, log and keep where the phase stands; return the point."""
        scores = training.score(self.texts[name].heldout, _SCORED)
        seconds, tokens = sum(r.seconds for r in since), sum(r.tokens for r in since)
        numbers = {
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
            **numbers,
        }
        self.points.append(point)
        self.log.log_step(PARENT, point["step"], numbers)
        save_state(self.state, {"phase": name, "training": training.state_dict()}, self.points)
        return point


def _peak_megabytes() -> float:
    """Return the most memory that this process had: resident, or on the GPU."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
