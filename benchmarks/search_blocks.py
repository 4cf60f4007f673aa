"""Tables of a search for the pages: goals, race and final, ablations, what was tried."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from benchmarks.markdown_text import Record, origin, points, score, table
from measures.comparison import LEVEL

ENSEMBLE, CHAMPION = "ensemble of its seeds", "champion"
_SHOWN = ("encoding", "head", "head_width", "freezing", "optimizer", "learning_rate",
          "overlap_features", "cosine_feature", "layer_mean", "targets", "both_orders", "r_drop",
          "dropout")  # fmt: skip
_SEEDS = {"seed", "seeds", "order_seed"}
_RESULTS = {"name", "stage", "flags", "of", "stopped", "status", "objective", "threshold",
            "best_epoch", "seconds"}  # fmt: skip
_ROUNDS = ("race", "confirm")  # stages of the log
_VALUES = ("val_auc", "val_f1_at_threshold")


def search(record: Record, frozen_pass: Record | None) -> str:
    """Return all tables of a search, each with the sentence that introduces it."""
    parts = [
        goals(record, frozen_pass),
        champion(record),
        scores(record),
        "The best configurations of the search on fresh seeds, validation scores; a dash stands "
        "where a configuration was not trained:",
        race(record),
        "What the search drew:",
        tried(record),
    ]
    if "ablations" in record["numbers"]["champion"]:
        parts.append(ablations(record))
    return "\n\n".join(parts)


def readme_search(record: Record, baselines: Record) -> str:
    """Return the README's sentence on the champion."""
    metrics = record["numbers"]["champion"]["metrics"]
    f1, accuracy, auc = (
        f"{score(metrics[name])} ± {score(metrics[f'{name}_std'])}"
        for name in ("test_f1_at_threshold", "test_accuracy_at_threshold", "test_auc")
    )
    chosen = [row for row in baselines["numbers"]["scores"] if row["threshold"] == "validation"]
    boosting = next(row for row in chosen if row["model"].startswith("gradient"))
    return (
        "The champion of `make search` on PARADE with the encoder `minilm`, chosen on validation "
        f"and scored once on test:\nF1 {f1}, accuracy {accuracy}, AUC {auc} over fresh seeds; "
        f"gradient boosting on word overlap has F1 {score(boosting['f1'])}, accuracy\n"
        f"{score(boosting['accuracy'])}, AUC {score(boosting['auc'])} "
        "([all of it](docs/results.md#the-search))."
    )


def goals(record: Record, frozen_pass: Record | None) -> str:
    """Return the goals of the search, and whether they are reached."""
    champion = record["numbers"]["champion"]
    metrics = champion["metrics"]
    minutes = until(record) / 60
    trials = record["numbers"]["stages"]["search"]["trials"]
    f1, accuracy = (metrics[f"test_{name}_at_threshold"] for name in ("f1", "accuracy"))
    rows = [
        ["mean test F1 over the fresh seeds, at the threshold from validation", ".735",
         _with_interval(metrics, "test_f1_at_threshold"), _verdict(f1 >= 0.735)],
        ["accuracy there", ".73", _with_interval(metrics, "test_accuracy_at_threshold"),
         _verdict(accuracy >= 0.73)],
        ["AUC", ".82", _with_interval(metrics, "test_auc"),
         _verdict(metrics["test_auc"] >= 0.82)],
        ["paired difference in AUC to gradient boosting on overlap, points",
         *_compared(champion["difference"][0])],
        [f"search of {trials} trials, confirmation included", "under 60 minutes",
         f"{minutes:.0f} minutes", _verdict(minutes < 60)],
    ]  # fmt: skip
    if frozen_pass is not None:
        found = frozen_pass["numbers"]["encodings"]
        ratios = [found["pair"][name] / found["separate"][name] for name in ("seconds", "bytes")]
        rows.append(["frozen pass of `separate` against `pair`: time, disk", "4x, 4x",
                     ", ".join(f"{ratio:.2f}x" for ratio in ratios),
                     _verdict(min(ratios) >= 4)])  # fmt: skip
    return f"{table(('measure', 'goal', 'reached', ''), rows)}\n\n{origin(record)}"


def _compared(over: dict[str, Any]) -> list[str]:
    """Return goal, difference in AUC and verdict: by the corrected p, null with one seed.

    Records of before have no p: their verdict is by the interval, and says so.
    """
    reached = f"{points(over['auc'])} [{points(over['auc_low'])}, {points(over['auc_high'])}]"
    if "auc_p_holm" not in over:
        verdict = f"{_verdict(over['auc_low'] > 0)} by interval (record without p)"
        return ["interval above 0", reached, verdict]
    p = over["auc_p_holm"]
    verdict = _verdict(p is not None and p < LEVEL and over["auc"] > 0)
    return ["above 0, corrected p below .05", f"{reached}, p {_told(score, p)}", verdict]


def until(record: Record) -> float:
    """Return the seconds from the launch to the end of the confirmation."""
    stages = record["numbers"]["stages"]
    return max(found["until"] for name, found in stages.items() if name != "ablation")


def _verdict(reached: bool) -> str:
    return "reached" if reached else "not reached"


def _with_interval(metrics: dict[str, float], name: str) -> str:
    """Return mean ± standard deviation over seeds, and the interval over seeds and entities."""
    low, high = metrics[f"{name}_low"], metrics[f"{name}_high"]
    mean, std = metrics[name], metrics[f"{name}_std"]
    return f"{score(mean)} ± {score(std)} [{score(low)}, {score(high)}]"


def scores(record: Record) -> str:
    """Return accuracy, F1 and AUC of champion, ensemble and baseline, with intervals."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for row in record["numbers"]["champion"]["scores"]:
        cell = f"{score(row['mean'])} [{score(row['low'])}, {score(row['high'])}]"
        rows.setdefault((row["model"], str(row["threshold"])), {})[row["metric"]] = cell
    metrics = {"accuracy": "accuracy", "f1": "F1", "auc": "AUC"}
    found = [[*names, *(cells[name] for name in metrics)] for names, cells in rows.items()]
    return table(("", "threshold", *metrics.values()), found)


def race(record: Record) -> str:
    """Return the configurations of the race and the final, best in the search first."""
    numbers = record["numbers"]
    groups: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for row in numbers["trials"]:
        if row["stage"] in _ROUNDS:
            name = row["name"].partition("-seed-")[0]
            groups.setdefault(name, {stage: [] for stage in _ROUNDS})[row["stage"]].append(row)
    searched = {
        str(_config(row)): score(row["objective"])
        for row in numbers["trials"]
        if row["stage"] == "search" and "objective" in row
    }
    rows = []
    for name in sorted(groups, key=lambda name: int(name.rpartition("-")[2])):
        rounds = groups[name]
        example = next(row for found in rounds.values() for row in found)
        means = [_mean(found, metric) for found in rounds.values() for metric in _VALUES]
        value = searched.get(str(_config(example)), "-")
        rows.append([_words({**numbers["fixed"], **example}), value, *means])
    header = ["configuration", f"search: {_ranked_by(record)}"]
    header += [f"{stage}: {name}" for stage in ("race", "final") for name in ("AUC", "F1\\*")]
    return table(header, rows)


def _config(row: dict[str, Any]) -> dict[str, Any]:
    """Return what a row says of a trial's configuration, without its seeds."""
    return {
        name: value for name, value in row.items()
        if name not in _RESULTS | _SEEDS and not name.startswith(("val_", "test_"))
    }  # fmt: skip


def _mean(rows: Sequence[dict[str, Any]], metric: str) -> str:
    """Return the mean of a metric, with its standard deviation over two or more seeds."""
    values = [row[metric] for row in rows if metric in row]
    if not values:
        return "-"
    deviation = f" ± {score(statistics.stdev(values))}" if len(values) > 1 else ""
    return f"{score(statistics.mean(values))}{deviation}"


def _words(trial: dict[str, Any]) -> str:
    """Return a configuration in a few words."""
    said = [name for name in _SHOWN if trial.get(name, "False") not in ("False", "0.0")]
    return ", ".join(_field(name, trial[name]) for name in said)


def _field(name: str, value: str) -> str:
    if value == "True":
        return name.replace("_", " ")
    if name in ("encoding", "head", "optimizer", "targets"):
        return value.replace("_", " ")
    with suppress(ValueError):  # a word, not a number
        value = f"{float(value):.3g}"
    return f"{name.replace('_', ' ')} {value}"


def champion(record: Record) -> str:
    """Return the champion's configuration as a sentence."""
    trial = record["numbers"]["champion"]["params"]
    return f"The champion: {_words(trial)}."


def ablations(record: Record) -> str:
    """Return what each option changes in the champion, on its seeds.

    Launches of before have no p-value: their intervals are paired, over seeds alone.
    """
    found = record["numbers"]["champion"]["ablations"]
    by_entities = "p_holm" in found[0]
    rows = []
    for row in found:
        spreads = [
            f"{_told(score, row[side])} ± {_told(score, row[f'{side}_std'])}"
            for side in ("with", "without")
        ]
        gain, low, high = (_told(points, row[name]) for name in ("gain", "low", "high"))
        corrected = [_told(score, row["p_holm"])] if by_entities else []
        ending = [row["verdict"], "on" if row["used"] else "off"]
        rows.append([row["lever"], *spreads, f"{gain} [{low}, {high}]", *corrected, *ending])
    header = ["option", "with it", "without it", "gain, points", "", "in the champion"]
    how = "paired by seed"
    if by_entities:
        header.insert(4, "p")
        how = "intervals over seeds and entities together, p corrected (Holm)"
    introduction = f"Ablations: the champion on validation with and without an option, {how}:"
    return f"{introduction}\n\n{table(header, rows)}"


def ablations_alone(record: Record) -> str:
    """Return the ablations of a launch that has no search before them."""
    return f"{ablations(record)}\n\n{origin(record)}"


def _told(write: Callable[[float], str], value: float | None) -> str:
    return "–" if value is None else write(value)


def tried(record: Record) -> str:
    """Return how many trials of the search had each head and encoding, and their best value."""
    numbers = record["numbers"]
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in numbers["trials"]:
        whole = {**numbers["fixed"], **row}
        if row["stage"] == "search":
            groups.setdefault((whole["head"], whole.get("encoding", "pair")), []).append(row)
    rows = [
        [head.replace("_", " "), encoding, str(len(found)),
         _best([row["objective"] for row in found if "objective" in row])]
        for (head, encoding), found in sorted(groups.items())
    ]  # fmt: skip
    return table(("head", "encoding", "trials", f"best {_ranked_by(record)}"), rows)


def _ranked_by(record: Record) -> str:
    """Return what the search ranked its trials by, on validation."""
    return "AUC" if record["numbers"]["ranked_by"] == "auc" else "F1\\*"


def _best(values: list[float]) -> str:
    return score(max(values)) if values else "-"
