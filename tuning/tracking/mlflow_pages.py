"""What runs are called where people compare them: what was trained, not a number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from tuning.config.experiment import TrialConfig

_SAID = ("optimizer", "learning_rate", "freezing")  # in every title


def trial_title(
    config: TrialConfig, name: str, tags: Mapping[str, str], varied: Iterable[str]
) -> str:
    """Return a title as ``adamw 1e-3 · frozen all``, with what tells it from others of the launch.

    Args:
        config: Of the trial.
        name: Its name as a folder.
        tags: Of its run: ``stage``, and ``of`` for what was retrained.
        varied: Fields in which the trials of a grid differ.
    """
    stage = tags.get("stage")
    if stage is None:
        apart = [f"{_words(field)} {getattr(config, field)}" for field in varied
                 if field not in _SAID]  # fmt: skip
        return " · ".join([_cell(config.model_dump()), *apart])
    cell = _cell(config.model_dump(), digits=2)
    if stage == "search":
        return f"{cell} · trial {name}"
    of = tags["of"].removesuffix(f"-seed-{config.seed}")
    return f"{cell} · {_words(of)} · seed {config.seed}"


def champion_title(params: Mapping[str, Any]) -> str:
    """Return the title of the champion's run."""
    return f"champion · {_cell(params, digits=2)}"


def _cell(params: Mapping[str, Any], digits: int | None = None) -> str:
    rate, freezing = params["learning_rate"], params["freezing"]
    frozen = f"{freezing} layers" if isinstance(freezing, int) else freezing
    return f"{params['optimizer']} {scientific(rate, digits)} · frozen {frozen}"


def scientific(value: float, digits: int | None = None) -> str:
    """Return a number as ``1e-3``: with so many digits, or with all that tell it from others."""
    exact = Decimal(repr(value)) if digits is None else Decimal(f"{value:.{digits - 1}e}")
    mantissa, _, exponent = f"{exact.normalize():e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def _words(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")


NOTE = "mlflow.note.content"  # the tag that MLflow shows as a description
EXPERIMENT = """Each **launch** is a run, and its trials are the runs nested in it, named after
what was trained: `adamw 1e-3 · frozen all`. A search has one more, its `champion`.

**To compare:** unfold a launch (+), tick trials, press **Compare**. The parallel coordinates show
learning rate, optimizer and freezing; under *Metrics* choose

| metric | is |
|---|---|
| `test_f1` | F1 on test at 0.5, of the epoch that was best on validation |
| `test_f1_at_threshold` | the same at the threshold chosen on validation |
| `val_f1_at_threshold` | what trials are ranked by |
| `epoch/val_f1` | by epoch: a curve, on a run's page |

F1 alone misleads: to call every pair a paraphrase scores well. Look at `test_accuracy`,
`test_auc` and `test_positive_rate` beside it, and at the tag **flags**: `collapsed` predicts one
class, `diverged` lost its weights.

**Pictures** lie in a launch under *Artifacts*, `figures/`; saved models and predictions in its
trials. `make report` turns all of it into a Report.pdf, `python tuning/reproduce.py RUN_ID`
recomputes a run's scores.
"""


def describe_launch(tags: Mapping[str, str], trials: int) -> str:
    """Return what a launch is, from the tags of its run."""
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
