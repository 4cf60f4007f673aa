"""The levers of a champion: options that published recipes recommend, each tried without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from measures.objective import search_value
from tuning.config.experiment import TrialConfig
from tuning.search.confirmation import Retrained


def ablation_configs(ablations: list[Ablation], champion: TrialConfig) -> dict[str, TrialConfig]:
    """Return the configurations of the ablations that the champion itself does not stand for."""
    found: dict[str, TrialConfig] = {}
    for ablation in ablations:
        for side, config in (("with", ablation.with_it), ("without", ablation.without)):
            if config != champion:
                found[f"{side}-{ablation.lever.field}"] = config
    return found


def ablation_rows(
    ablations: list[Ablation],
    champion: Retrained,
    ablated: Mapping[str, Retrained],
    floor: float,
) -> pd.DataFrame:
    """Return a row a lever: validation F1 with and without it, over seeds, and the difference.

    Only seeds that finished on both sides count. ``verdict`` is ``helps`` or ``hurts`` where the
    95 % interval of the paired difference (Student's t over seeds) excludes 0; it is corrected
    neither for the number of levers, nor for the champion having been chosen on these seeds.
    ``used`` says whether the champion has the lever on.
    """
    rows = [
        _row(
            ablation,
            ablated.get(f"with-{ablation.lever.field}", champion),
            ablated.get(f"without-{ablation.lever.field}", champion),
            floor,
        )
        for ablation in (ablations if ablated else [])
    ]
    return pd.DataFrame(rows)


def _row(
    ablation: Ablation, with_it: Retrained, without: Retrained, floor: float
) -> dict[str, Any]:
    both = [
        (search_value(one.metrics, floor), search_value(other.metrics, floor))
        for one, other in zip(with_it.outcomes, without.outcomes, strict=True)
        if one.cause is None and other.cause is None
    ]
    one, other = np.array(both, dtype=float).reshape(-1, 2).T
    count, gain = len(both), float((one - other).mean()) if both else np.nan
    spread = [v.std(ddof=1) if count > 1 else np.nan for v in (one, other, one - other)]
    reach = float(stats.t.ppf(0.975, max(count - 1, 1)) * spread[2] / max(count, 1) ** 0.5)
    verdict = "cannot be told"
    if abs(gain) > reach:
        verdict = "helps" if gain > 0 else "hurts"
    return {
        "lever": ablation.lever.name,
        "on": getattr(ablation.with_it, ablation.lever.field),
        "with": one.mean() if count else np.nan,
        "with_std": spread[0],
        "without": other.mean() if count else np.nan,
        "without_std": spread[1],
        "gain": gain,
        "low": gain - reach,
        "high": gain + reach,
        "seeds": count,
        "verdict": verdict,
        "used": ablation.used,
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class AblationFactor:
    """An option with its values on and off; ``base`` is changed in both, if it must be."""

    name: str
    field: str
    on: Any
    off: Any
    trained_layers: bool = False


LEVERS = (
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
    """A lever's two configurations; ``used`` says whether the champion has it on."""

    lever: AblationFactor
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


def _plan(champion: TrialConfig, lever: AblationFactor, layers: int) -> Ablation:
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
