"""Tables about an Optuna search: history, importance of parameters, champion, ablations."""

from __future__ import annotations

import ast
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from analysis.captions import points, score, score_cell
from analysis.run_rows import SEARCH_TAGS
from analysis.run_tables import is_sound
from measures.objective import FLAGS, SEED_MEAN

PARALLEL = 8  # parameters that the figure has room for
WIDE = 30  # a range whose ends have at least this ratio is treated as logarithmic
_FIXED = {"run_id", "name", "folder", "seed", "order_seed", "seeds", *SEARCH_TAGS}
ORIGINS = ("given", "start-up", "TPE")
_METRICS = {
    SEED_MEAN,
    "objective_std",
    "threshold",
    "best_epoch",
    *FLAGS,
    "seconds",
}
_CHOSEN = {"race": "finalist", "confirm": "champion"}  # by the round
_VERDICTS = {"cannot be told": "not clear"}  # how the search logs it


def searched_parameters(trials: pd.DataFrame) -> list[str]:
    """Return the columns in which the trials differ and that are neither a metric nor a seed."""
    return [
        name
        for name in trials.columns
        if not name.startswith(("val_", "test_"))
        and name not in _FIXED | _METRICS
        and trials[name].astype(str).nunique() > 1
    ]


def search_history(trials: pd.DataFrame) -> pd.DataFrame:
    """Return one row per trial: its ``number`` from 1, its ``value``, and the ``best`` so far.

    Flagged trials are never the best; before the first other one ``best`` is NaN.

    Args:
        trials: ``Launch.trials``, in the order in which they were drawn.
    """
    values = trials[SEED_MEAN].reset_index(drop=True)
    sound = values.where(is_sound(trials).reset_index(drop=True))
    best = sound.cummax().ffill()
    return pd.DataFrame({"number": range(1, len(values) + 1), "value": values, "best": best})


def tried_places(trials: pd.DataFrame, params: Mapping[str, str]) -> pd.DataFrame:
    """Return one row per trial: ``number`` from 1, ``value``, and where and why it was tried.

    That is its ``head`` and ``encoding``, categories of all that the search could draw; its
    ``origin``, one of ``ORIGINS`` (missing in logs of earlier versions); and ``stopped``, whether
    it was ended early.

    Args:
        trials: ``Launch.trials``, in the order in which they were drawn.
        params: ``Launch.params``, which tell the space.
    """
    empty = pd.Series(index=trials.index, dtype=object)
    table = pd.DataFrame(
        {
            "number": range(1, len(trials) + 1),
            "value": trials[SEED_MEAN],
            "origin": trials.get("origin", empty),
            "stopped": trials.get("stopped", empty).notna(),
        }
    ).reset_index(drop=True)
    for field in ("encoding", "head"):
        values = trials[field].to_list() if field in trials else ["pair"] * len(trials)
        axis = ast.literal_eval(params.get(f"space.{field}", "{}"))
        known = list(dict.fromkeys([*axis.get("choices", []), *values]))
        table[field] = pd.Categorical(values, known)
    return table


def confirmation_rounds(rounds: pd.DataFrame) -> pd.DataFrame:
    """Return one row per round and configuration as text, the best of each round first.

    Args:
        rounds: Table that the search logged: one row per round, configuration and seed.
    """
    rows = []
    for (name, configuration), part in rounds.groupby(["round", "configuration"], sort=False):
        first, values = part.iloc[0], part["value"]
        spread = f" ± {score(values.std())}" if len(part) > 1 else ""
        rows.append(
            {
                "round": "final" if name == "confirm" else name,
                "configuration": f"{configuration}, trial {first['trial']:03d}",
                "head": first["head"].replace("_", " "),
                "encoding": first["encoding"],
                "seeds": len(part),
                "searched": first["searched"],
                "confirmed": f"{score(values.mean())}{spread}",
                "chosen": _CHOSEN[str(name)] if first["chosen"] else "",
                "mean": values.mean(),
            }
        )
    table = pd.DataFrame(rows)
    best_first = table.sort_values("mean", ascending=False, kind="stable").drop(columns="mean")
    return best_first.sort_values("round", ascending=False, kind="stable", ignore_index=True)


def champion_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each model and threshold, with a text cell for each metric.

    Args:
        scores: Table that the search logged: one row per model, threshold and metric.
    """
    rows = []
    for (model, threshold), part in scores.groupby(["model", "threshold"], sort=False):
        row: dict[str, object] = {"model": model, "cut": str(threshold)}
        for cell in part.to_dict("records"):
            row[f"{cell['metric']}_cell"] = score_cell(cell)
        rows.append(row)
    return pd.DataFrame(rows)


def written_differences(differences: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of ``measures.comparison.differences`` for a page, intervals as text."""
    interval = [
        f"{points(row['f1_low'])} to {points(row['f1_high'])}"
        for row in differences.to_dict("records")
    ]
    cut = {"cut": differences["threshold"].astype(str)} if "threshold" in differences else {}
    return pd.DataFrame(
        {
            "model": differences["model"],
            "other": differences["other"],
            **cut,
            "f1_points": differences["f1"],
            "f1_interval": interval,
            "f1_p_holm": differences["f1_p_holm"],
            "accuracy_points": differences["accuracy"],
            "accuracy_p_holm": differences["accuracy_p_holm"],
            "precision_points": differences["precision"],
            "recall_points": differences["recall"],
            "auc_points": differences["auc"],
        }
    )


def ablation_scores(ablations: pd.DataFrame) -> pd.DataFrame:
    """Return one row per ablation: values with and without the option, gain, p, verdict.

    Args:
        ablations: Table that the search logged; its column ``lever`` names the option. One of
            before ablations were judged by entities has no ``p_holm``, nor does the result.
    """
    records = ablations.to_dict("records")
    corrected = {"p_holm": ablations["p_holm"]} if "p_holm" in ablations else {}
    return pd.DataFrame(
        {
            "lever": [row["lever"] for row in records],
            "with_it": [f"{score(row['with'])} ± {score(row['with_std'])}" for row in records],
            "without_it": [
                f"{score(row['without'])} ± {score(row['without_std'])}" for row in records
            ],
            "gain": [
                f"{points(row['gain'])} [{points(row['low'])}, {points(row['high'])}]"
                for row in records
            ],
            **corrected,
            "verdict": [_verdict(row) for row in records],
            "champion": ["on" if row["used"] else "off" for row in records],
        }
    )


def _verdict(row: Mapping[Hashable, Any]) -> str:
    """Return the verdict of an ablation, and how many seeds failed if any did."""
    verdict = str(_VERDICTS.get(row["verdict"], row["verdict"]))
    return f"{verdict} ({row['failed']} failed)" if row.get("failed") else verdict


def is_wide(low: float, high: float) -> bool:
    """Return whether a range is so wide that it is treated as logarithmic."""
    return low > 0 and high / low >= WIDE
