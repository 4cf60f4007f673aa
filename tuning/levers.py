"""The levers of a champion: options that published recipes recommend, each tried without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tuning.config import TrialConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class Lever:
    """An option with its values on and off; ``base`` is changed in both, if it must be."""

    name: str
    field: str
    on: Any
    off: Any
    trained_layers: bool = False


LEVERS = (
    Lever(name="votes as soft targets", field="targets", on="votes", off="labels"),
    Lever(name="both orders of a pair", field="both_orders", on=True, off=False),
    Lever(name="overlap features", field="overlap_features", on=True, off=False),
    Lever(name="R-Drop", field="r_drop", on=0.5, off=0.0),
    Lever(name="layer-wise rate decay", field="layer_decay", on=0.8, off=1.0, trained_layers=True),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ablation:
    """A lever's two configurations; ``used`` says whether the champion has it on."""

    lever: Lever
    with_it: TrialConfig
    without: TrialConfig
    used: bool


def plan_ablations(champion: TrialConfig, *, votes: bool, layers: int) -> list[Ablation]:
    """Return each lever with and without, all else as in the champion.

    Where the champion has a value of its own for a lever that is on, it is kept. Layer-wise decay
    needs several trained layers: for it the upper half is trained, whatever the champion trains.

    Args:
        champion: The configuration.
        votes: Whether the data has votes; without them there is no such lever.
        layers: Of the encoder.
    """
    return [
        _plan(champion, lever, layers) for lever in LEVERS if votes or lever.field != "targets"
    ]


def _plan(champion: TrialConfig, lever: Lever, layers: int) -> Ablation:
    own = getattr(champion, lever.field)
    base = champion
    if lever.trained_layers:
        base = champion.model_copy(update={"freezing": layers // 2})
    on = own if own != lever.off else lever.on
    return Ablation(
        lever=lever,
        with_it=base.model_copy(update={lever.field: on}),
        without=base.model_copy(update={lever.field: lever.off}),
        used=own != lever.off and not (lever.trained_layers and champion.freezing == "all"),
    )
