"""A small store with hard names: five voters, one seed, flags, a head without attention."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.analysis.conftest import Runs, make_pairs

COMMAND = "python tuning/run_grid.py --data 'my pairs' --encoder ./roberta"
TAGS = {
    "data": "shop $5 to $10",
    "data_fingerprint": "d" * 16,
    "encoder": "my $x^{ encoder",
    "encoder_architecture": "roberta",
    "encoder_layers": "4",
    "encoder_width": "8",
    "encoder_fingerprint": "e" * 16,
    "max_tokens": "64",
    "notices": "none",
    "git_commit": "c" * 40,
    "command": COMMAND,
    **{f"{name}_version": "1" for name in ("python", "torch", "ray", "transformers", "mlflow")},
}
NAMES = ["$x^{ or $y", "$5 to $10", "线性 _a_ *b* #c", "a\x07bell", "x" * 300, "\u202eturned"]
WORDS = ["a", "red", "blue", "cold", "hot", "sea", "sun", "car", "#x", "$y", "*z*", "_w_", "10"]
CELLS = [
    ("all", "adamw", "0.001", 0.6),
    ("all", "sgd", "0.001", 0.4),
    ("some", "adamw", "0.01", 0.7),
    ("some", "sgd", "0.01", 0.9),
]


def hard_pairs() -> pd.DataFrame:
    """Return 72 training, 24 validation and 24 test pairs, four for each entity of a split."""
    draw = np.random.default_rng(0)
    rows = []
    for split, count in (("train", 18), ("validation", 6), ("test", 6)):
        for number in range(4 * count):
            texts = [" ".join(draw.choice(WORDS, 6)) for _ in range(2)]
            yes = int(draw.integers(6))
            group = f"{NAMES[number % 6]}{number // 24 or ''}{split if split != 'test' else ''}"
            rows.append((split, *texts, int(yes > 2), yes / 5, group))
    return make_pairs(rows).assign(voters=5)


def attention_of(pairs: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a map for each test pair, as a head that aligns gives them."""
    maps = []
    for row in pairs[pairs["split"] == "test"].itertuples():
        first, second = str(row.first).split(), str(row.second).split()
        tokens = ["<s>", *first, "</s>", "</s>", *second, "</s>"]
        kinds = [1, *[2] * len(first), 1, 1, *[3] * len(second), 1]
        weights = np.full((len(first), len(second)), 0.1).tolist()
        maps.append({"line": row.line, "tokens": tokens, "segments": kinds, "weights": weights})
    return maps


def occlusion_of(pairs: pd.DataFrame) -> dict[str, Any]:
    """Return an example for each test pair of one of the best trials, and none of the other."""
    examples = []
    for row in pairs[pairs["split"] == "test"].itertuples():
        first, second = str(row.raw_first).split(), str(row.raw_second).split()
        changes = [-1.25, *[0.5] * (len(first) - 2), None]
        sides = {"first": list(zip(first, changes, strict=True)),
                 "second": [[word, 0.5] for word in second]}  # fmt: skip
        examples.append({"line": row.line, "log_odds": 2.0, **sides})
    return {"format": 1, "trials": {"some adamw 0.01": examples}}


def log_grid(runs: Runs, scratch: Path) -> None:
    """Write a launch of four trials, of which all with SGD are flagged, with their files."""
    pairs, draw = hard_pairs(), np.random.default_rng(1)
    parent = runs.parent("launch", **{"grid.freezing": "['all', 'some']"})
    for name, value in TAGS.items():
        runs.client.set_tag(parent, name, value)
    pairs.to_parquet(scratch / "pairs.parquet")
    runs.client.log_artifact(parent, str(scratch / "pairs.parquet"), "data")
    measured = json.dumps(occlusion_of(pairs))
    (scratch / "occlusion.json").write_text(measured, encoding="utf-8")
    runs.client.log_artifact(parent, str(scratch / "occlusion.json"), "explanations")
    for freezing, optimizer, rate, value in CELLS:
        head = "cross_attention" if freezing == "some" else "mean_pooling"
        sound = {"collapsed": float(optimizer == "sgd"), "diverged": 0, "no_positive": 0}
        run = runs.trial(
            parent, f"{freezing} {optimizer} {rate}", freezing=freezing, optimizer=optimizer,
            learning_rate=rate, val_f1_at_threshold=value, threshold=0.35, all_positive=0,
            best_epoch=2, head=head, **sound,
        )  # fmt: skip
        for epoch in (1, 2):
            for metric in ("train_loss", "val_loss", "val_f1"):
                runs.client.log_metric(run, f"while_training/{metric}", 0.5 / epoch, step=epoch)
        told = pairs[["split", "line", "group", "label"]]
        told = told.assign(probability=draw.random(len(told)))
        told.to_csv(scratch / "predictions.csv", index=False)
        maps = attention_of(pairs) if freezing == "some" else []  # a head without attention
        (scratch / "attention.json").write_text(json.dumps(maps), encoding="utf-8")
        for file in ("predictions.csv", "attention.json"):
            runs.client.log_artifact(run, str(scratch / file))
