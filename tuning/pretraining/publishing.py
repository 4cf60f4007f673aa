"""What comes of a pretraining: an encoder's folder with its card, moved into place when whole."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Any

import yaml
from matplotlib.figure import Figure
from rich.console import Console
from safetensors import SafetensorError

from models.masked_language_model import load_model, save_model
from tuning.pretraining.phases import EvalPoint, PhaseRunner
from tuning.pretraining.plan import Plan
from tuning.system.atomic_files import DiskError
from tuning.tracking.launch_folder import LaunchSettings
from tuning.tracking.launch_log import PARENT


def publish(
    plan: Plan, course: PhaseRunner, settings: LaunchSettings, output: Path, console: Console
) -> None:
    """Write the encoder beside its place, score what was written, and move it there.

    Args:
        plan: Of the training.
        course: At its end.
        settings: Of the folder to work in.
        output: Where the encoder goes; absent, empty, or put there before a crash.
        console: Says the scores.

    Raises:
        DiskError: If the disk is full or cannot be written.
    """
    folder = settings.folder / "encoder"
    if not folder.exists():  # it was moved, and the end was not logged
        return course.log.settle(PARENT, _summary(course, _score(output, course)))
    try:
        save_model(folder, course.model)
    except SafetensorError as error:
        raise DiskError(f"{folder}: cannot be written: {error}") from error
    scores = _score(folder, course)
    write_card(folder, plan, course, scores)
    for name in (CARD, CURVE):  # the log reads them here, whenever it can
        shutil.copyfile(folder / name, settings.folder / name)
        course.log.keep(settings.folder / name, "")
    if output.is_dir():
        output.rmdir()
    folder.rename(output)
    course.log.settle(PARENT, _summary(course, scores))
    console.print(
        f"Held out: loss {scores['heldout_loss']:.3f} nats a masked piece, accuracy "
        f"{scores['heldout_accuracy']:.3f}, of all held-out text, from the files written",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    return None


def _score(folder: Path, course: PhaseRunner) -> dict[str, float]:
    """Return the scores of the encoder in ``folder`` on all held-out text of the last phase."""
    model, _ = load_model(folder, seed=0)
    course.model.load_state_dict(model.state_dict())  # as it was saved, in float16
    name = list(course.phases)[-1]
    heldout = course.texts[name].heldout
    return course.prepare(name).score(heldout, heldout.sequences)


def _summary(course: PhaseRunner, scores: dict[str, float]) -> dict[str, float]:
    return {
        **scores,
        "tokens": sum(point["tokens"] for point in course.points),
        "seconds": sum(point["seconds"] for point in course.points),
        "steps": sum(point["steps"] for point in course.points),
    }


CARD, CURVE = "CARD.md", "heldout_loss.svg"


def write_card(folder: Path, plan: Plan, course: PhaseRunner, scores: dict[str, float]) -> None:
    """Write ``CARD.md`` and the curve that stands in it.

    Args:
        folder: Of the encoder.
        plan: Of the training.
        course: At its end.
        scores: Of the files written, on all held-out text of the last phase.
    """
    plot_curve(course.points).savefig(folder / CURVE, metadata={"Date": None})
    rows = _rows(plan, course, scores)
    table = "\n".join(f"| {name} | {text} |" for name, text in rows.items())
    recipe = yaml.safe_dump(
        plan.recipe.model_dump(mode="json", exclude_defaults=True), sort_keys=False
    )
    text = f"""# Encoder {plan.recipe.name}

| | |
|---|---|
{table}

![Held-out loss over the tokens seen]({CURVE})

The recipe, with what differs from the defaults of `tuning/pretraining/recipe.py`:

```yaml
{recipe}```

`AutoModel.from_pretrained` and `AutoTokenizer.from_pretrained` load the folder; so does
`--encoder FOLDER` of every command, and `python tuning/pretrain.py --init FOLDER` trains on.
It was trained without dropout and without labels.
"""
    (folder / CARD).write_text(text, encoding="utf-8")


def _rows(plan: Plan, course: PhaseRunner, scores: dict[str, float]) -> dict[str, str]:
    config = course.model.inner.config
    count = sum(weight.numel() for weight in course.model.parameters())
    return {
        "architecture": f"`DistilBertForMaskedLM`: {config.n_layers} layers, width {config.dim}, "
        f"{config.n_heads} heads, feed-forward {config.hidden_dim}, "
        f"{config.max_position_embeddings} positions, {config.vocab_size:,} word pieces; "
        f"{count / 1e6:.2f}M parameters, stored in float16",
        "begun with": plan.init.name if plan.init else "random weights",
        **_text_rows(plan, course),
        "cost": _cost(course.points),
        "held-out loss": f"{scores['heldout_loss']:.3f} nats a masked piece, accuracy "
        f"{scores['heldout_accuracy']:.3f}: text of the last phase that was not trained on",
    }


def _text_rows(plan: Plan, course: PhaseRunner) -> dict[str, str]:
    rows = {}
    if plan.corpus is not None:
        pieces = len(course.texts["corpus"].training.stream)
        files = ", ".join(path.name for path in plan.corpus.files)
        rows["text"] = (
            f"{plan.paragraphs:,} paragraphs, {pieces / 1e6:.1f}M word pieces ({files}; "
            f"fingerprint {plan.corpus.fingerprint})"
        )
    if plan.pair_text is not None and plan.adapt is not None:
        rows["adapted to"] = (
            f"{plan.pair_text.pairs:,} training pairs of {plan.adapt.name}, some held out, in "
            "both orders, no labels, nothing of validation or test"
        )
    return rows


def _cost(points: list[EvalPoint]) -> str:
    tokens, seconds, steps = (
        sum(point[name] for point in points) for name in ("tokens", "seconds", "steps")
    )
    return (
        f"{seconds / 60:.0f} minutes, {steps:,} steps, {tokens / 1e6:.1f}M tokens seen, "
        f"{tokens / max(seconds, 1e-9):,.0f} tokens a second"
    )


def plot_curve(points: list[dict[str, Any]]) -> Figure:
    """Draw held-out and training loss over the tokens seen, a colour a phase."""
    figure = Figure(figsize=(6, 3.2), layout="constrained")
    axes = figure.subplots()
    seen = list(itertools.accumulate(point["tokens"] / 1e6 for point in points))
    for number, phase in enumerate(dict.fromkeys(point["phase"] for point in points)):
        positions = [n for n, point in enumerate(points) if point["phase"] == phase]
        x = [seen[n] for n in positions]
        colour = f"C{number}"
        axes.plot(x, [points[n]["heldout_loss"] for n in positions], color=colour,
                  marker=".", label=f"{phase}, held out")  # fmt: skip
        axes.plot(x, [points[n]["train_loss"] for n in positions], color=colour,
                  alpha=0.4, label=f"{phase}, trained on")  # fmt: skip
    axes.set(xlabel="million tokens seen", ylabel="nats a masked piece")
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    return figure
