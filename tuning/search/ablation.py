"""Ablations of a champion: options from published recipes, each tried with and without."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from measures.comparison import LEVEL, gain_of_trainings
from measures.intervals import holm, point_scores
from measures.objective import Objective
from models.encoder_files import frozen_layers
from tuning.config.experiment import TrialConfig
from tuning.search.confirmation import Retrained, validation_predictions

_MEASURED = ("with", "with_std", "without", "without_std", "gain", "low", "high", "p")


@dataclass(frozen=True, kw_only=True, slots=True)
class AblationFactor:
    """An option of a trial that an ablation switches on and off.

    Args:
        name: Name in tables, screens and the file of results.
        field: Field of the trial's configuration.
        on: Value that switches the option on.
        off: Value that switches the option off.
        trained_layers: Whether the option has an effect only if several layers are trained.
    """

    name: str
    field: str
    on: Any
    off: Any
    trained_layers: bool = False


FACTORS = (
    AblationFactor(name="texts encoded separately", field="encoding", on="separate", off="pair"),
    AblationFactor(name="cosine of the texts", field="cosine_feature", on=True, off=False),
    AblationFactor(name="mean of all layers", field="layer_mean", on=True, off=False),
    AblationFactor(name="votes as soft targets", field="targets", on="votes", off="labels"),
    AblationFactor(name="both orders of a pair", field="both_orders", on=True, off=False),
    AblationFactor(name="overlap features", field="overlap_features", on=True, off=False),
    AblationFactor(name="R-Drop", field="r_drop", on=0.5, off=0.0),
    AblationFactor(name="upper layers trained", field="freezing", on="some", off="all"),
    AblationFactor(
        name="layer-wise rate decay", field="layer_decay", on=0.8, off=1.0, trained_layers=True
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ablation:
    """The two configurations of a factor; ``used`` is True if the champion has it on."""

    factor: AblationFactor
    with_it: TrialConfig
    without: TrialConfig
    used: bool


def plan_ablations(
    champion: TrialConfig, *, votes: bool, layers: int, variants: Collection[TrialConfig]
) -> list[Ablation]:
    """Return each factor with and without, everything else as in the champion.

    A factor that the champion has on keeps the champion's own value. Layer-wise decay needs
    several trained layers: its two configurations train ``some``, whatever the champion trains,
    and it is left out where these are fewer than two. A mean of all layers needs all of them
    frozen: it is off on both sides where layers are trained on one.

    Args:
        champion: The champion's configuration.
        votes: Whether every pair has votes; without them, there is no ablation of the targets.
        layers: Number of layers of the encoder.
        variants: Trials with each of the inputs that the search has.
    """
    means = {trial.layer_mean for trial in variants if trial.encoding == champion.encoding}
    possible = {
        "targets": votes,
        "encoding": len({trial.encoding for trial in variants}) > 1,
        "layer_mean": len(means) > 1 and champion.freezing in ("all", layers),
        "cosine_feature": champion.encoding == "separate"
        and champion.freezing not in ("none", 0)
        and any(trial.cosine_feature is True for trial in variants),
        "freezing": {"all", "some"} <= {trial.freezing for trial in variants}
        and champion.freezing != layers,  # all of them by their number: nothing would be trained
        "layer_decay": layers > 1 and layers - frozen_layers("some", layers) > 1,
    }
    return [_plan(champion, factor) for factor in FACTORS if possible.get(factor.field, True)]


def _plan(champion: TrialConfig, factor: AblationFactor) -> Ablation:
    own = getattr(champion, factor.field)
    base = champion
    if factor.field == "freezing":
        base = champion.model_copy(update={"layer_mean": False})
    if factor.trained_layers:
        base = champion.model_copy(update={"freezing": "some", "layer_mean": False})
    if factor.field == "encoding":  # a pair encoded together has no cosine
        base = champion.model_copy(update={"cosine_feature": False, "layer_mean": False})
    on = own if own != factor.off else factor.on
    return Ablation(
        factor=factor,
        with_it=base.model_copy(update={factor.field: on}),
        without=base.model_copy(update={factor.field: factor.off}),
        used=own != factor.off and not (factor.trained_layers and champion.freezing == "all"),
    )


def ablation_configs(ablations: list[Ablation], champion: TrialConfig) -> dict[str, TrialConfig]:
    """Return the configurations to train by name: all that differ, but for the champion's."""
    found: dict[str, TrialConfig] = {}
    for ablation in ablations:
        for side, config in (("with", ablation.with_it), ("without", ablation.without)):
            if config != champion and config not in found.values():
                found[f"{side}-{ablation.factor.field}"] = config
    return found


def ablation_rows(
    ablations: list[Ablation],
    champion: Retrained,
    ablated: Mapping[str, Retrained],
    objective: Objective,
) -> pd.DataFrame:
    """Return one row per ablation: the value with and without the factor, and the gain.

    The values are of the validation predictions that the trials saved. ``verdict`` is ``helps``
    or ``hurts``, on new seeds and new entities, where ``p_holm`` is below .05, else ``cannot be
    told``; p is corrected for the number of ablations, the interval is not, and neither for the
    champion having been chosen on these seeds.

    Args:
        ablations: Planned ablations.
        champion: The champion, a side of most ablations.
        ablated: Retrained configurations by the names of ``ablation_configs``; each may be a side
            of several ablations.
        objective: What they are compared by, on validation.

    Returns:
        Columns ``lever`` (name of the factor), ``on`` (its value), ``with``, ``with_std``,
        ``without``, ``without_std``, ``gain``, ``low``, ``high``, ``p`` (from
        ``gain_of_trainings``), ``p_holm``, ``seeds`` (finished on the side with fewer),
        ``failed`` (seeds left out, of both sides), ``verdict``, and ``used`` (whether the
        champion has the factor on); NaN where there are too few seeds or entities.
    """
    rows, trained = [], [champion, *ablated.values()]
    for ablation in ablations:
        name = ablation.factor.field
        sides = [
            next(each for each in trained if each.config == config)
            for config in (ablation.with_it, ablation.without)
        ]
        rows.append(
            {
                "lever": ablation.factor.name,
                "on": getattr(ablation.with_it, name),
                **_gain(sides[0], sides[1], objective.name),
                "used": ablation.used,
            }
        )
    table = pd.DataFrame(rows)
    table["p_holm"] = holm(table["p"].tolist())
    sign = np.where(table["gain"] > 0, "helps", "hurts")
    table["verdict"] = np.where(table["p_holm"] < LEVEL, sign, "cannot be told")
    return table


def _gain(with_it: Retrained, without: Retrained, metric: str) -> dict[str, float]:
    """Return the columns of a row that say how both sides do, and how many seeds they have."""
    row: dict[str, float] = dict.fromkeys(_MEASURED, np.nan)
    one, other = validation_predictions(with_it), validation_predictions(without)
    for name, side in (("with", one), ("without", other)):
        if side is not None:
            values = point_scores(side)[metric]
            row[name] = float(values.mean())
            row[f"{name}_std"] = float(values.std(ddof=1)) if len(values) > 1 else np.nan
    if one is not None and other is not None:
        row |= gain_of_trainings(one, other, metric)
    finished = [0 if side is None else len(side.seeds) for side in (one, other)]
    started = len(with_it.outcomes) + len(without.outcomes)
    return {**row, "p_holm": np.nan, "seeds": min(finished), "failed": started - sum(finished)}
