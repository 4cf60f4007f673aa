"""Score the baselines without an encoder on test: python benchmarks/baselines.py --data FOLDER.

Each learns from the train split; its threshold is chosen on validation by the rule that trials
have by default. Intervals are over whole entities. ``make report`` shows the same rows; both come
from ``measures/baselines.py``.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import pandas as pd
from rich.console import Console

from benchmarks.records import save_record
from measures.baselines import baseline_predictions
from measures.comparison import entity_codes, scores_with_intervals
from measures.intervals import Predictions
from tuning.config.experiment import Cleaning, TrialConfig
from tuning.data.pairs import PairData, read_pairs
from tuning.data.sources import find_data, read_locations

RANKED_ONLY = "word overlap (Jaccard)"  # no probability: 0.5 means nothing
ALWAYS = "all positive"


def predict(data: PairData) -> dict[str, Predictions]:
    """Return the predictions of every baseline on the test split."""
    frames = [
        pd.DataFrame({"split": split, "first": t.first, "second": t.second, "label": t.labels})
        for split, t in data.splits.items()
    ]
    entities = entity_codes(pd.Series(data.splits["test"].groups))
    pairs = pd.concat(frames, ignore_index=True)
    return baseline_predictions(pairs, entities, TrialConfig.model_validate({}).threshold_rule)


def score_rows(models: dict[str, Predictions]) -> list[dict[str, Any]]:
    """Return a row for each baseline and threshold: each metric, its ``_low`` and ``_high``."""
    at_half = {name: model.at(0.5) for name, model in models.items() if name != RANKED_ONLY}
    chosen = {name: model for name, model in models.items() if name != ALWAYS}
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for threshold, found in (("0.5", at_half), ("validation", chosen)):
        for score in scores_with_intervals(found).to_dict("records"):
            model, metric = str(score["model"]), str(score["metric"])
            row = rows.setdefault((model, threshold), {"model": model, "threshold": threshold})
            row |= {metric: score["mean"], f"{metric}_low": score["low"],
                    f"{metric}_high": score["high"]}  # fmt: skip
    order = list(models)
    return [rows[key] for key in sorted(rows, key=lambda key: (order.index(key[0]), key[1]))]


def main() -> int:
    """Return 0 after printing the rows and saving them."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Score the baselines without an encoder on test."
    )
    parser.add_argument("--data", default="embedded", help="as for run_grid.py")
    args = parser.parse_args()
    source = find_data(args.data, read_locations(), strict=True)
    rows = score_rows(predict(read_pairs(source.folder, Cleaning())))
    Console(width=200).print(pd.DataFrame(rows).round(3).to_string())
    print(save_record("baselines", {"data": source.name, "scores": rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
