"""Writes the trained encoder's folder with its card, and moves it to its path when complete."""

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

CARD, CURVE = "CARD.md", "heldout_loss.svg"


def publish(
    plan: Plan, runner: PhaseRunner, settings: LaunchSettings, output: Path, console: Console
) -> None:
    """Write the encoder, score the written files, move them to ``output`` and log the scores.

    Args:
        plan: Plan of the training.
        runner: Phases, all trained.
        settings: Settings of the launch, with the folder to work in.
        output: Path of the encoder's folder: absent, empty, or moved there before a crash.
        console: Terminal that shows the scores.

    Raises:
        DiskError: If the disk is full or cannot be written.
    """
    folder = settings.folder / "encoder"
    if not folder.exists():  # a crash came after the move, before its scores were logged
        runner.log.settle(PARENT, _summary(runner, _score(output, runner)))
        return
    try:
        save_model(folder, runner.model)
    except SafetensorError as error:
        raise DiskError(f"{folder}: cannot be written: {error}") from error
    scores = _score(folder, runner)
    write_card(folder, plan, runner, scores)
    for name in (CARD, CURVE):  # delivery reads these copies, maybe after the encoder was moved
        shutil.copyfile(folder / name, settings.folder / name)
        runner.log.keep(settings.folder / name, "")
    if output.is_dir():
        output.rmdir()
    folder.rename(output)
    runner.log.settle(PARENT, _summary(runner, scores))
    console.print(
        f"Held-out text, scored with the written files: loss {scores['heldout_loss']:.3f} nats "
        f"per masked piece, accuracy {scores['heldout_accuracy']:.3f}",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


def _score(folder: Path, runner: PhaseRunner) -> dict[str, float]:
    """Return the scores of the encoder in ``folder`` on all held-out text of the last phase.

    The runner's model gets the weights as they were saved, in float16.
    """
    model, _ = load_model(folder, seed=0)
    runner.model.load_state_dict(model.state_dict())
    name = list(runner.texts)[-1]
    heldout = runner.texts[name].heldout
    return runner.prepare(name).score(heldout, heldout.sequences)


def _summary(runner: PhaseRunner, scores: dict[str, float]) -> dict[str, float]:
    return {
        **scores,
        "tokens": sum(point["tokens"] for point in runner.points),
        "seconds": sum(point["seconds"] for point in runner.points),
        "steps": sum(point["steps"] for point in runner.points),
    }


def write_card(folder: Path, plan: Plan, runner: PhaseRunner, scores: dict[str, float]) -> None:
    """Write ``CARD.md`` and its figure.

    Args:
        folder: Folder of the encoder.
        plan: Plan of the training.
        runner: Phases, all trained.
        scores: Scores of the written files on all held-out text of the last phase.
    """
    plot_curve(runner.points).savefig(folder / CURVE, metadata={"Date": None})
    rows = _rows(plan, runner, scores)
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
`--encoder FOLDER` of every command. `python tuning/pretrain.py --init FOLDER` trains it further.
It was trained without dropout and without labels.
"""
    (folder / CARD).write_text(text, encoding="utf-8")


def _rows(plan: Plan, runner: PhaseRunner, scores: dict[str, float]) -> dict[str, str]:
    config = runner.model.inner.config
    count = sum(weight.numel() for weight in runner.model.parameters())
    return {
        "architecture": f"`DistilBertForMaskedLM`: {config.n_layers} layers, width {config.dim}, "
        f"{config.n_heads} heads, feed-forward {config.hidden_dim}, "
        f"{config.max_position_embeddings} positions, {config.vocab_size:,} word pieces; "
        f"{count / 1e6:.2f}M parameters, stored in float16",
        "begun with": plan.init.name if plan.init else "random weights",
        **_text_rows(plan, runner),
        "cost": _cost(runner.points),
        "held-out loss": f"{scores['heldout_loss']:.3f} nats per masked piece, accuracy "
        f"{scores['heldout_accuracy']:.3f}: text of the last phase that was not trained on",
    }


def _text_rows(plan: Plan, runner: PhaseRunner) -> dict[str, str]:
    rows = {}
    if plan.corpus is not None:
        pieces = len(runner.texts["corpus"].training.stream)
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
        f"{tokens / max(seconds, 1e-9):,.0f} tokens per second"
    )


def plot_curve(points: list[dict[str, Any]]) -> Figure:
    """Draw held-out and training loss over the tokens seen, one colour for each phase."""
    figure = Figure(figsize=(6, 3.2), layout="constrained")
    axes = figure.subplots()
    seen = list(itertools.accumulate(point["tokens"] / 1e6 for point in points))
    for number, phase in enumerate(dict.fromkeys(point["phase"] for point in points)):
        own = [row for row, point in enumerate(points) if point["phase"] == phase]
        tokens, colour = [seen[row] for row in own], f"C{number}"
        axes.plot(tokens, [points[row]["heldout_loss"] for row in own], color=colour,
                  marker=".", label=f"{phase}, held out")  # fmt: skip
        axes.plot(tokens, [points[row]["train_loss"] for row in own], color=colour,
                  alpha=0.4, label=f"{phase}, trained on")  # fmt: skip
    axes.set(xlabel="million tokens seen", ylabel="nats per masked piece")
    if points:  # training of no steps has none
        axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    return figure
