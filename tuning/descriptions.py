"""What MLflow's pages say above the runs: what they are, and what to click."""

from __future__ import annotations

from collections.abc import Mapping

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
