"""Ablations of a champion: options from published recipes, each tried with and without."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from measures.objective import Objective
from tuning.config.experiment import TrialConfig
from tuning.search.confirmation import Retrained


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
    several trained layers: its two configurations train the upper half of the encoder, whatever
    the champion trains.

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
        "layer_decay": layers > 1,
    }
    return [
        _plan(champion, factor, layers) for factor in FACTORS if possible.get(factor.field, True)
    ]


def _plan(champion: TrialConfig, factor: AblationFactor, layers: int) -> Ablation:
    own = getattr(champion, factor.field)
    base = champion
    if factor.trained_layers:
        base = champion.model_copy(update={"freezing": layers // 2, "layer_mean": False})
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
    """Return the configurations to train by name: all but those equal to the champion's."""
    found: dict[str, TrialConfig] = {}
    for ablation in ablations:
        for side, config in (("with", ablation.with_it), ("without", ablation.without)):
            if config != champion:
                found[f"{side}-{ablation.factor.field}"] = config
    return found


def ablation_rows(
    ablations: list[Ablation],
    champion: Retrained,
    ablated: Mapping[str, Retrained],
    objective: Objective,
) -> pd.DataFrame:
    """Return one row per ablation: the value with and without the factor, and the gain.

    Only seeds that finished on both sides count. ``verdict`` is ``helps`` or ``hurts`` where the
    95 % interval of the paired difference (Student's t over seeds) excludes 0; it is corrected
    neither for the number of ablations nor for the champion having been chosen on these seeds.

    Args:
        ablations: Planned ablations.
        champion: The champion; it is the side that ``ablation_configs`` left out.
        ablated: Retrained configurations by the names of ``ablation_configs``.
        objective: What they are compared by, on validation.

    Returns:
        Columns ``lever`` (name of the factor), ``on`` (its value), ``with``, ``with_std``,
        ``without``, ``without_std``, ``gain``, ``low``, ``high``, ``seeds``, ``verdict``, and
        ``used`` (whether the champion has the factor on); NaN where no seed counts.
    """
    rows = [
        _row(
            ablation,
            ablated.get(f"with-{ablation.factor.field}", champion),
            ablated.get(f"without-{ablation.factor.field}", champion),
            objective,
        )
        for ablation in ablations
    ]
    return pd.DataFrame(rows)


def _row(
    ablation: Ablation, with_it: Retrained, without: Retrained, objective: Objective
) -> dict[str, Any]:
    pairs = [
        (objective.value(one.metrics), objective.value(other.metrics))
        for one, other in zip(with_it.outcomes, without.outcomes, strict=True)
        if one.cause is None and other.cause is None
    ]
    one, other = np.array(pairs, dtype=float).reshape(-1, 2).T
    count, gain = len(pairs), float((one - other).mean()) if pairs else np.nan
    spread = [v.std(ddof=1) if count > 1 else np.nan for v in (one, other, one - other)]
    half_width = float(stats.t.ppf(0.975, max(count - 1, 1)) * spread[2] / max(count, 1) ** 0.5)
    verdict = "cannot be told"
    if abs(gain) > half_width:
        verdict = "helps" if gain > 0 else "hurts"
    return {
        "lever": ablation.factor.name,
        "on": getattr(ablation.with_it, ablation.factor.field),
        "with": one.mean() if count else np.nan,
        "with_std": spread[0],
        "without": other.mean() if count else np.nan,
        "without_std": spread[1],
        "gain": gain,
        "low": gain - half_width,
        "high": gain + half_width,
        "seeds": count,
        "verdict": verdict,
        "used": ablation.used,
    }
