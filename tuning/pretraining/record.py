"""The log of a pretraining: its recipe, text and versions, compared when it is resumed."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from measures.passwords import hide_passwords
from tuning.pretraining.phase_texts import PhaseText
from tuning.pretraining.plan import Plan
from tuning.tracking.launch_folder import LaunchSettings
from tuning.tracking.launch_log import PARENT, LaunchLog
from tuning.tracking.mlflow_pages import NOTE, source_tags
from tuning.tracking.resume import plain, refuse_changes

EXPERIMENT = "pretraining"
_NOTE = """Each run trained an encoder to predict masked word pieces. `heldout_loss` (nats per
piece) and `heldout_accuracy` are of text that it was not trained on; curves are under `step/`."""


def open_log(log: LaunchLog, plan: Plan, settings: LaunchSettings, precision: str) -> None:
    """Write the first entry of a new training; check that a resumed one is equal.

    Args:
        log: Log of the training.
        plan: Plan of the training.
        settings: Settings of the launch.
        precision: Number format of the matrix products.

    Raises:
        LaunchError: If the training that is resumed has another recipe, text or encoder.
        JournalError: If the journal cannot be written.
    """
    wanted = plain(_identity(plan, precision))
    refuse_changes(log, wanted, "start again with --overwrite")
    if not log.journal.entries:
        uri = hide_passwords(settings.tracking_uri)
        log.open(EXPERIMENT, settings.artifacts, uri, wanted, _NOTE)


def start_run(
    log: LaunchLog,
    plan: Plan,
    texts: Mapping[str, PhaseText],
    settings: LaunchSettings,
    precision: str,
) -> None:
    """Start the run in the log with its recipe and text, unless it was started before.

    Raises:
        JournalError: If the journal cannot be written.
    """
    if PARENT not in log.runs:
        name = f"{plan.recipe.name} · {settings.run_name.removesuffix('.under-way')}"
        tags = {**_tags(plan, settings), NOTE: _describe(plan)}
        log.start_parent(name, _params(plan, texts, precision), tags, kind="pretraining")


def _identity(plan: Plan, precision: str) -> dict[str, Any]:
    """Return what a training and its resumption must have in common."""
    return {
        "recipe": plan.recipe.model_dump(exclude={"precision"}),
        "corpus": plan.corpus.fingerprint if plan.corpus else "none",
        "heldout_files": len(plan.corpus.heldout_files) if plan.corpus else 0,
        "init": plan.encoder.fingerprint if plan.encoder else "scratch",
        "adapt": plan.pair_text.fingerprint if plan.pair_text else "none",
        "precision": precision,
    }


def _params(plan: Plan, texts: Mapping[str, PhaseText], precision: str) -> dict[str, Any]:
    scratch_only = set() if plan.init is None else {"vocabulary", "attention"}
    unused = {"shape", *scratch_only, *texts.keys() ^ {"corpus", "adaptation"}}
    recipe = plan.recipe.model_dump(exclude=unused)
    found: dict[str, Any] = {
        "precision": precision,
        "init": plan.init.name if plan.init else "scratch",
    }
    for name, value in recipe.items():
        if isinstance(value, dict):
            found |= {f"{name}.{field}": entry for field, entry in value.items()}
        elif name != "precision":
            found[name] = value
    if plan.encoder is None:
        found |= {f"shape.{name}": size for name, size in plan.recipe.shape.model_dump().items()}
    for name, text in texts.items():
        found[f"{name}.word_pieces"] = len(text.training.stream)
        found[f"{name}.heldout_word_pieces"] = len(text.heldout.stream)
    return found


def _tags(plan: Plan, settings: LaunchSettings) -> dict[str, str]:
    return {
        "corpus": ", ".join(path.name for path in plan.corpus.files) if plan.corpus else "none",
        "corpus_fingerprint": plan.corpus.fingerprint if plan.corpus else "none",
        "adapt": plan.adapt.name if plan.adapt else "none",
        "init_fingerprint": plan.encoder.fingerprint if plan.encoder else "none",
        "git_commit": settings.git_commit,
        **source_tags("tuning/pretrain.py", settings.git_commit),
        "python_version": platform.python_version(),
        **{f"{name}_version": version(name) for name in ("tokenizers", "torch", "transformers")},
    }


def _describe(plan: Plan) -> str:
    return "\n".join(f"- **{name}**: {text}" for name, text in plan.describe().items())
