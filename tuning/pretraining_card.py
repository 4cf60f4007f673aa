"""The card of a trained encoder: what it is, its text, its recipe, its cost, its scores."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import yaml
from matplotlib.figure import Figure

from tuning.pretraining_course import Course, Point
from tuning.pretraining_plan import Plan

CARD, CURVE = "CARD.md", "heldout_loss.svg"


def write_card(folder: Path, plan: Plan, course: Course, scores: dict[str, float]) -> None:
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

The recipe, with what differs from the defaults of `tuning/pretraining_config.py`:

```yaml
{recipe}```

`AutoModel.from_pretrained` and `AutoTokenizer.from_pretrained` load the folder; so does
`--encoder FOLDER` of every command, and `python tuning/pretrain.py --init FOLDER` trains on.
It was trained without dropout and without labels.
"""
    (folder / CARD).write_text(text, encoding="utf-8")


def _rows(plan: Plan, course: Course, scores: dict[str, float]) -> dict[str, str]:
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


def _text_rows(plan: Plan, course: Course) -> dict[str, str]:
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


def _cost(points: list[Point]) -> str:
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
        places = [n for n, point in enumerate(points) if point["phase"] == phase]
        x = [seen[n] for n in places]
        colour = f"C{number}"
        axes.plot(x, [points[n]["heldout_loss"] for n in places], color=colour,
                  marker=".", label=f"{phase}, held out")  # fmt: skip
        axes.plot(x, [points[n]["train_loss"] for n in places], color=colour,
                  alpha=0.4, label=f"{phase}, trained on")  # fmt: skip
    axes.set(xlabel="million tokens seen", ylabel="nats a masked piece")
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    return figure
