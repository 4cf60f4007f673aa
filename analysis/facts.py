"""What the report states beside tables and figures: names, settings, commands, warnings."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

import pandas as pd

from analysis.error_tables import best_trials
from analysis.load_runs import Launch
from analysis.run_tables import freezing_order
from analysis.theme import mode_name
from measures.addresses import is_default_store
from measures.objective import VALIDATION_F1

_DATA = {"parade": "PARADE", "embedded": "the embedded pairs"}
_ENCODERS = {
    "distilbert-base-uncased": "DistilBERT",
    "embedded": "the embedded encoder",
    "minilm": "all-MiniLM-L6-v2",
}
_SETTINGS = (
    *("head", "head_width", "dropout", "targets", "both_orders", "batch_size", "epochs"),
    *("clip_norm", "optimizer", "learning_rate", "encoder_learning_rate"),
)
_FEATURES = {  # fields of a trial that add a feature of the pair beside its token states
    "cosine_feature": "the cosine of both texts' mean frozen states",
    "overlap_features": "counts of shared words",
}
_STAND_INS = {
    ("encoder", "embedded"): "The encoder is the small one that comes with the program, not the "
    "published distilbert-base-uncased: all scores are those of a model with a fraction of its "
    "weights.",
    (
        "encoder",
        "minilm",
    ): "The encoder is sentence-transformers/all-MiniLM-L6-v2 (22.7M "
    "weights), not the published distilbert-base-uncased.",
    ("data", "embedded"): "The data set is the small one that comes with the program, not PARADE.",
}
_EXCEPTION = re.compile(r": [^;]*(?:\w(?:Error|Exception|Pool)\b|\[Errno)[^;]*")
_LISTED = 6  # values of a setting that are named one by one
_SAME = ("data_fingerprint", "encoder_fingerprint")


def title(tags: Mapping[str, str]) -> str:
    """Return the title of the report, which names data and encoder."""
    data, encoder = tags["data"], tags["encoder"]
    return (
        f"Paraphrase identification on {_DATA.get(data, data)} with "
        f"{_ENCODERS.get(encoder, encoder)}"
    )


def stand_ins(tags: Mapping[str, str]) -> list[str]:
    """Return what the first page says of the encoder and the data that stood in, if they did.

    A notice of an earlier version that holds an exception is cut before it.
    """
    found = [words for (tag, name), words in _STAND_INS.items() if tags[tag] == name]
    if tags["notices"] != "none":
        found.append(f"Notices: {_EXCEPTION.sub('', tags['notices'])}.")
    return found


def encodes_separately(trials: pd.DataFrame) -> bool:
    """Return whether every trial encodes each text of a pair alone."""
    return (
        len(trials) > 0 and "encoding" in trials and bool((trials["encoding"] == "separate").all())
    )


def encodings(launches: list[Launch]) -> list[str]:
    """Return how the trials of any launch read a pair: ``pair``, ``separate``, or both."""
    found = [
        text
        for launch in launches
        for text in launch.trials.get("encoding", pd.Series("pair", launch.trials.index))
    ]
    return sorted(set(found))


def settings(trials: pd.DataFrame) -> dict[str, str]:
    """Return the values of each setting over the trials, as in ``0.001, 0.01 or 0.1``."""
    return {name: _values(trials[name]) for name in _SETTINGS if name in trials}


def sizes(launch: Launch) -> dict[str, str]:
    """Return the numbers of weights in words: of the encoder, of the head, and trained by mode.

    A log of an earlier version has none of them.
    """
    trials, found = launch.trials, {}
    total = launch.tags.get("encoder_parameters", "unknown")
    if total != "unknown":
        found["encoder"] = _amount(int(total))
    if "trained_parameters" in trials:
        found["head"] = _amounts(trials["head_parameters"])
        found["trained"] = "; ".join(
            f"{_amounts(trials.loc[trials['freezing'].astype(str) == mode, 'trained_parameters'])}"
            f" with {mode_name(mode)}"
            for mode in freezing_order(trials["freezing"])
        )
    return found


def _amounts(column: pd.Series) -> str:
    """Return the least and the greatest number of a column, or its only one, in words."""
    ends = (_amount(column.min()), _amount(column.max()))
    return " to ".join(dict.fromkeys(ends))


def _amount(number: float) -> str:
    return f"{number / 1e6:.1f} million" if number >= 1e6 else f"{number:,.0f}"


def features(trials: pd.DataFrame) -> list[str]:
    """Return what classifiers read beside token states, in words; where some do not, that too."""
    found = []
    for name, words in _FEATURES.items():
        used = trials[name].astype(str) == "True" if name in trials else pd.Series(dtype=bool)
        if used.any():
            found.append(words if used.all() else f"{words} (some trials)")
    return found


def _values(column: pd.Series) -> str:
    found = sorted(set(column.dropna()), key=lambda value: (isinstance(value, str), value))
    texts = [f"{value:g}" if isinstance(value, float) else str(value) for value in found]
    if len(texts) > _LISTED:
        return f"{texts[0]} to {texts[-1]}"
    return " or ".join(part for part in (", ".join(texts[:-1]), *texts[-1:]) if part)


def launch_facts(launch: Launch) -> dict[str, object]:
    """Return what the page says about a launch: what ran, and the command that started it."""
    return {
        "experiment": launch.experiment,
        "run_id": launch.run_id,
        "trials": len(launch.trials),
        "failed": len(launch.failed),
        "data": launch.tags["data"],
        "encoder": launch.tags["encoder"],
        "command": launch.tags.get("command"),
    }


def commands(uri: str, launch: Launch, options: list[str]) -> list[str]:
    """Return the commands that make this report, and that recompute its best trial's scores.

    Args:
        uri: Address of the store, without a password.
        launch: The launch that the report compares.
        options: Options of the report that are not the usual ones.
    """
    store = ["--tracking-uri", uri]
    found = [shlex.join(["python", "analysis/make_report.py", *store, *options])]
    best = list(best_trials(launch.trials).values()) if len(launch.trials) else []
    if best:
        run = str(max(best, key=lambda trial: trial[VALIDATION_F1])["run_id"])
        found.append(shlex.join(["python", "tuning/reproduce.py", run, *store]))
    return found


def modes(trials: pd.DataFrame, layers: int) -> list[str]:
    """Return the freezing modes of the trials in words, with how many layers "some" are.

    Args:
        trials: ``Launch.trials``.
        layers: Layers of the encoder, of which ``some`` are two thirds, rounded; one at least is
            frozen and one trained.
    """
    some = min(max(round(2 * layers / 3), 1), layers - 1)
    told = {"some": f" (the lower {some} of {layers})"}
    return [
        f"{mode_name(mode)}{told.get(mode, '')}" for mode in freezing_order(trials["freezing"])
    ]


def warn_of_one_seed(launch: Launch, uri: str) -> dict[str, str]:
    """Return what the first page says if all that is compared is a grid with one seed a cell.

    It is a ``text``, and the ``command`` that does more, in the same store; nothing if cells have
    several seeds.

    Args:
        launch: Launch of the grid.
        uri: Address of the store, without a password.
    """
    cells = ["freezing", "optimizer", "learning_rate"]
    if not len(launch.trials):
        return {}
    if launch.trials.groupby(cells)["seed"].nunique().max() > 1:
        return {}
    words = ["python", "tuning/run_grid.py", "experiments/freezing.yaml"]
    for option in ("data", "encoder"):
        value = launch.params.get(option, "auto")
        words += [f"--{option}", value] if value != "auto" else []
    words += [] if is_default_store(uri) else ["--tracking-uri", uri]
    return {
        "text": "This report is of a grid alone, and each cell of it is one training run with one "
        "seed: what differs between cells, optimizers or frozen layers may be chance. The "
        "comparison has the best trial of each freezing mode, and its intervals cover the "
        "variation over entities only. For three seeds of each freezing mode run the command "
        "below, then make the report again.",
        "command": shlex.join(words),
    }


def unlike(launches: list[Launch]) -> list[str]:
    """Return a note for each launch with other data or another encoder than the first."""
    first = launches[0]
    return [
        f"Experiment '{other.experiment}' ran on other data or with another encoder "
        f"({other.tags['data']}, {other.tags['encoder']}) than '{first.experiment}': their scores "
        "cannot be compared."
        for other in launches[1:]
        if any(other.tags.get(name) != first.tags.get(name) for name in _SAME)
    ]
