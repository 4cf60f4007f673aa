"""What the pages of MLflow show: titles, descriptions, the source, the view of a launch."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from measures.addresses import is_database, is_default_store
from measures.objective import VALIDATION_F1
from measures.passwords import hide_passwords
from tuning.config.experiment import TrialConfig

KIND, MODEL_TRAINING = "mlflow.experimentKind", "custom_model_development"  # a tag, its value
SOURCE_TAGS = ("mlflow.source.name", "mlflow.source.type", "mlflow.source.git.commit")
LOCAL_SERVER = "http://127.0.0.1:5000"  # where make ui serves
SHARED_VIEW = "mlflow.sharedViewState."  # before a view's key, tag of the experiment with the view
NOTE = "mlflow.note.content"  # tag that MLflow shows as a description
EXPERIMENT = """Each **launch** is a run, and its trials are the runs nested in it, named after
what was trained: `adamw 1e-3 · frozen all`. A search has one more run, its `champion`.

**To compare:** choose a launch in the list of views on the upper right, tick trials, press
**Compare**. The parallel coordinates show what differs; under *Metrics* choose

| metric | meaning |
|---|---|
| `test_f1` | F1 on the test split at 0.5, of the epoch that was best on validation |
| `test_f1_at_threshold` | the same at the threshold chosen on validation |
| `val_f1_at_threshold` | the score by which the trials of a grid are ranked |
| `val_auc` | that of a search, unless it ranks by F1; `objective` is the mean over seeds |
| `while_training/val_f1` | F1 on validation after each epoch: a curve on a run's page |

F1 alone misleads: a classifier that calls every pair a paraphrase scores well. Look at
`test_accuracy`, `test_auc` and `test_positive_rate` too, and at the tag **flags**: `collapsed`
ranks no better than chance, `no positive at 0.5` and `all positive at 0.5` predict one class for
every pair, `diverged` has weights that are not finite.

**Pictures** are under *Artifacts*, `figures/`, of a launch; saved models and predictions under
those of its trials. `make report` writes Report.pdf from all of it, and
`python tuning/reproduce.py RUN_ID` recomputes the scores of a run.
"""
_SCORES = (VALIDATION_F1, "test_f1_at_threshold", "val_auc", "test_auc")  # columns of a view
_RUN_NAME = "attributes.`Run Name`"
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


def source_tags(script: str, git_commit: str) -> dict[str, str]:
    """Return the tags by which MLflow names the source of a run.

    Args:
        script: Script that was run, relative to the project's folder.
        git_commit: Commit of the code, or ``unknown``.
    """
    name, kind, commit = SOURCE_TAGS
    known = {} if git_commit == "unknown" else {commit: git_commit}
    return {name: script, kind: "LOCAL", **known}


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """How the page of an experiment shows the trials of one launch: best first, with scores.

    Args:
        varied: Fields in which the trials differ.
        ranked_by: Metric that they are ranked by.
    """

    varied: Sequence[str]
    ranked_by: str = VALIDATION_F1

    def state(self, launch: str) -> dict[str, Any]:
        """Return the state of MLflow's page, by its own names.

        A page that is not sorted by time lists runs flat: no trial has to be unfolded.

        Args:
            launch: Identifier of the launch.
        """
        columns = {
            **{f"params.`{name}`": _pixels(name) for name in self.varied},
            **{f"metrics.`{name}`": _pixels(name) for name in _SCORES},
            "tags.`flags`": 100,
            "attributes.`Dataset`": 180,
            "attributes.`Source`": 120,
        }
        widths = {_RUN_NAME: 240, **columns}
        return {
            "searchFilter": f"tags.launch = '{launch}' and tags.kind != 'experiment'",
            "orderByKey": f"metrics.`{self.ranked_by}`",
            "orderByAsc": False,
            "selectedColumns": list(columns),
            "columnOrder": list(widths),
            "columnWidths": widths,
        }


def saved_view(name: str, state: Mapping[str, Any], time: int) -> str:
    """Return the tag of an experiment that holds a view, as MLflow's page writes and reads it.

    Args:
        name: Name in the page's list of views.
        state: State of the page.
        time: Time of the view, in milliseconds since 1970.
    """
    own = {"name": name, "createdAt": time, "updatedAt": time}
    return json.dumps({**own, "state": json.dumps(state)})


def _pixels(name: str) -> int:
    """Return the width of a column under a title that is not cut off."""
    return max(90, 40 + 7 * len(name))


def view_address(server: str, experiment_id: str, launch: str | None) -> str:
    """Return the address of a launch's view on MLflow's pages.

    Args:
        server: Address of the MLflow server; a user in it is left out: browsers ask for one.
        experiment_id: MLflow's id of the experiment.
        launch: Identifier of the launch; None for all runs of the experiment.
    """
    view = "" if launch is None else f"viewStateShareKey={launch}&"
    server = re.sub("://[^/]*@", "://", server)
    page = f"{server.rstrip('/')}/#/experiments/{experiment_id}/runs"
    return f"{page}?{view}workflowType=machine_learning"


def how_to_look(uri: str, page: str | None) -> list[str]:
    """Return the lines that tell the user where to compare the trials in a browser.

    Args:
        uri: URI of the store; a server has pages of its own, and its address is enough.
        page: Address of the launch's view; None if it is not there yet.
    """
    store = hide_passwords(uri)
    serve = store
    if is_default_store(uri):
        serve = "make ui"
    elif is_database(uri):
        serve = shlex.join(["python", "-m", "tuning.tracking", "ui", "--tracking-uri", store])
    hint = "" if store == uri else ", with the password in place of ***"
    link = [] if page is None else [f"  {page}"]
    return [f"  {serve:<60}  compare the trials in a browser{hint}", *link]
