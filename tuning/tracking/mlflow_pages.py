"""Titles and descriptions of runs on the pages of MLflow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from tuning.config.experiment import TrialConfig

NOTE = "mlflow.note.content"  # tag that MLflow shows as a description
EXPERIMENT = """Each **launch** is a run, and its trials are the runs nested in it, named after
what was trained: `adamw 1e-3 · frozen all`. A search has one more run, its `champion`.

**To compare:** unfold a launch (+), tick trials, press **Compare**. The parallel coordinates show
learning rate, optimizer and freezing; under *Metrics* choose

| metric | meaning |
|---|---|
| `test_f1` | F1 on the test split at 0.5, of the epoch that was best on validation |
| `test_f1_at_threshold` | the same at the threshold chosen on validation |
| `val_f1_at_threshold` | the score by which trials are ranked |
| `epoch/val_f1` | F1 on validation after each epoch: a curve on a run's page |

F1 alone misleads: a classifier that calls every pair a paraphrase scores well. Look at
`test_accuracy`, `test_auc` and `test_positive_rate` too, and at the tag **flags**: `collapsed`
ranks no better than chance, `no positive at 0.5` and `all positive at 0.5` predict one class for
every pair, `diverged` has weights that are not finite.

**Pictures** are under *Artifacts*, `figures/`, of a launch; saved models and predictions under
those of its trials. `make report` writes Report.pdf from all of it, and
`python tuning/reproduce.py RUN_ID` recomputes the scores of a run.
"""
_IN_EVERY_TITLE = ("optimizer", "learning_rate", "freezing")


def trial_title(
    config: TrialConfig, name: str, tags: Mapping[str, str], varied: Iterable[str]
) -> str:
    """Return a title as ``adamw 1e-3 · frozen all``, and what sets it apart in its launch.

    Args:
        config: Configuration of the trial.
        name: Name of the trial's folder.
        tags: Tags of its run: ``stage``, and ``of`` for the trial that was retrained.
        varied: Fields in which the trials of a grid differ.
    """
    stage = tags.get("stage")
    if stage is None:
        apart = [f"{_words(field)} {getattr(config, field)}" for field in varied
                 if field not in _IN_EVERY_TITLE]  # fmt: skip
        return " · ".join([_cell(config.model_dump()), *apart])
    cell = _cell(config.model_dump(), digits=2)
    if stage == "search":
        return f"{cell} · trial {name}"
    of = tags["of"].removesuffix(f"-seed-{config.seed}")
    return f"{cell} · {_words(of)} · seed {config.seed}"


def champion_title(params: Mapping[str, Any]) -> str:
    """Return the title of the champion's run, from its configuration."""
    return f"champion · {_cell(params, digits=2)}"


def _cell(params: Mapping[str, Any], digits: int | None = None) -> str:
    rate, freezing = params["learning_rate"], params["freezing"]
    frozen = f"{freezing} layers" if isinstance(freezing, int) else freezing
    return f"{params['optimizer']} {scientific(rate, digits)} · frozen {frozen}"


def scientific(value: float, digits: int | None = None) -> str:
    """Return a number as ``1e-3``, rounded to ``digits`` significant digits; None keeps all."""
    exact = Decimal(repr(value)) if digits is None else Decimal(f"{value:.{digits - 1}e}")
    mantissa, _, exponent = f"{exact.normalize():e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def _words(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")


def describe_launch(tags: Mapping[str, str], trials: int) -> str:
    """Return the description of a launch in Markdown.

    Args:
        tags: Tags of its parent run.
        trials: Number of its trials.
    """
    lines = [
        f"{trials} trials on **{tags['data']}** with the encoder **{tags['encoder']}** "
        f"({tags['encoder_architecture']}, {tags['encoder_layers']} layers of width "
        f"{tags['encoder_width']}).",
        "",
        f"Results: `{tags['results']}`. Code: `{tags['git_commit']}`.",
    ]
    if tags["notices"] != "none":
        lines += ["", f"**Notice:** {tags['notices']}"]
    return "\n".join(lines)
