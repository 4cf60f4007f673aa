"""From saved files alone to the scores again, and both side by side."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from models.batches import SplitArrays
from models.checkpoint import (
    CARD,
    CheckpointError,
    find_encoder,
    load_classifier,
    read_card,
)
from models.classifier import Classifier
from models.encoder_files import read_encoder_info
from models.ensemble import ENSEMBLE
from models.tokens import TokenTable
from tuning.config.experiment import Cleaning, TrialConfig
from tuning.data.pairs import DataError, PairData, read_pairs
from tuning.data.sources import DataLocations, find_data
from tuning.data.tokenization import tokenise
from tuning.system.project import EMBEDDED
from tuning.training.activation_cache import FrozenEncoder, encode
from tuning.training.evaluation import SCORED, evaluate
from tuning.training.inputs import LoadedSplit, split_arrays

TOLERANCE = 1e-4
_NOT_SCORES = ("best_epoch", "diverged", "seconds")  # of the training, not of the classifier


@dataclass(kw_only=True, slots=True)
class Reproducer:
    """Recomputes saved classifiers; data and states are read once for all of them.

    ``data`` is the folder of the data set if it has moved since.
    """

    locations: DataLocations
    console: Console
    data: str | None = None
    _splits: dict[tuple[Any, ...], dict[str, SplitArrays]] = field(default_factory=dict)

    def check_folder(self, saved: Path) -> bool:
        """Print saved against recomputed scores of a folder; return whether all agree.

        Args:
            saved: A folder at or below which classifiers are.

        Raises:
            CheckpointError: If there is no whole classifier there.
            DataError, SourceError: If the data set is unavailable or is another one.
        """
        found = find_saved(saved.resolve())
        agreeing = []
        for folder, encoder in found:
            name = folder.relative_to(saved.resolve()) if len(found) > 1 else saved
            metrics = read_card(folder)["metrics"]
            agreeing.append(self.check(str(name), folder, encoder, metrics))
        return self.sum_up(agreeing)

    def check(self, name: str, folder: Path, encoder: Path, metrics: dict[str, float]) -> bool:
        """Print one classifier's logged and recomputed metrics; return whether all agree.

        Raises:
            CheckpointError, DataError, SourceError: As ``check_folder``.
        """
        recomputed = self._recompute(folder, encoder, read_card(folder))
        logged = {name: v for name, v in metrics.items() if name not in _NOT_SCORES}
        differing = [n for n, v in logged.items() if not abs(recomputed[n] - v) <= TOLERANCE]
        self.console.print(compare(name, logged, recomputed, differing))
        return not differing

    def sum_up(self, agreeing: list[bool]) -> bool:
        """Print how many of several classifiers agree; return whether there are any and all do."""
        if len(agreeing) != 1:
            agreed = f"{sum(agreeing)} of {len(agreeing)} runs reproduce their scores"
            self.console.print(agreed)
        return bool(agreeing) and all(agreeing)

    def _recompute(self, folder: Path, encoder: Path, card: dict[str, Any]) -> dict[str, float]:
        model = load_classifier(folder, encoder)
        data = card["data"]
        key = (card["encoder"]["fingerprint"], card["encoder"]["depth"], card["precision"])
        key = (*key, data["fingerprint"], data["both_orders"], card["cached"])
        key = (*key, model.branch is not None)
        if key not in self._splits:
            pairs = self._read_data(data)
            tables = _read_tokens(pairs, encoder, data)
            self._splits[key] = _build_splits(pairs, tables, model, card)
        trial = TrialConfig(**card["trial"])
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if card["cached"]:
            model.lower = None
        torch.set_num_threads(1)  # as in a trial: the order of additions stays the same
        loaded = {k: LoadedSplit(s, trial, device) for k, s in self._splits[key].items()}
        return evaluate(model.to(device), loaded).metrics

    def _read_data(self, data: dict[str, Any]) -> PairData:
        there = data["name"] not in ("parade", "embedded") or Path(data["folder"]).is_dir()
        folder = Path(data["folder"]) if there else None
        if self.data or folder is None or data["name"] == "embedded":
            folder = find_data(self.data or data["name"], self.locations, strict=True).folder
        pairs = read_pairs(folder, Cleaning(**data["cleaning"]))
        if pairs.fingerprint != data["fingerprint"]:
            raise DataError(
                f"{folder}: fingerprint must be {data['fingerprint']}, of the data it was trained "
                f"on, got {pairs.fingerprint}; --data FOLDER names another place"
            )
        return pairs


def find_saved(folder: Path) -> list[tuple[Path, Path]]:
    """Return the folders of all classifiers at or below ``folder``, each with its encoder's.

    The copies in an ensemble are not among them.

    Raises:
        CheckpointError: If there is none, or an encoder is not beside it.
    """
    paths = sorted(folder.rglob(CARD))
    found = [p.parent for p in paths if not (p.parents[1] / ENSEMBLE).is_file()]
    if not found:
        raise CheckpointError(f"{folder}: must hold a {CARD} at or below it, got none")
    return [(classifier, find_encoder(classifier, [EMBEDDED / "encoder"])) for classifier in found]


def _read_tokens(pairs: PairData, encoder: Path, data: dict[str, Any]) -> dict[str, TokenTable]:
    info = read_encoder_info(encoder)
    tokens = tokenise(pairs, info, max_tokens=data["max_tokens"], both_orders=data["both_orders"])
    return {split: tokens.splits[split] for split in SCORED}


def _build_splits(
    pairs: PairData, tables: dict[str, TokenTable], model: Classifier, card: dict[str, Any]
) -> dict[str, SplitArrays]:
    states = {}
    lower = model.lower
    if card["cached"] and lower is not None:
        frozen = FrozenEncoder(
            lower=lambda: lower,
            encoder_fingerprint=card["encoder"]["fingerprint"],
            depth=card["encoder"]["depth"],
            precision=model.precision,
            device=torch.device("cuda" if torch.cuda.is_available() else "cpu"),
        )
        states = {split: encode(frozen, table) for split, table in tables.items()}
    return split_arrays(pairs, tables, states, overlap=model.branch is not None)


def compare(
    saved: str, logged: dict[str, float], recomputed: dict[str, float], differing: list[str]
) -> Table:
    """Return the table of logged and recomputed metrics, with a mark where they differ."""
    table = Table(title=saved, title_justify="left", header_style="bold")
    for name in ("metric", "logged", "recomputed", ""):
        table.add_column(name, justify="left" if name in ("metric", "") else "right")
    for name, value in logged.items():
        mark = "[red]differs[/]" if name in differing else "[green]equal[/]"
        table.add_row(name, f"{value:.6f}", f"{recomputed[name]:.6f}", mark)
    return table
