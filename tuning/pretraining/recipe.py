"""What a pretraining recipe may say: one strict model for its YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from tuning.config.experiment import StrictModel
from tuning.config.yaml_reader import find_section, parse_override, read_model

Beta = Annotated[float, Field(ge=0, lt=1)]


class DivergedError(ValueError):
    """A training whose numbers are no longer finite; the message says where, and what to do."""


class Shape(StrictModel):
    """The encoder that is made from scratch."""

    layers: int = Field(4, ge=1)
    width: int = Field(256, ge=2)
    heads: int = Field(4, ge=1)
    inner_width: int = Field(1024, ge=1)
    positions: int = Field(256, ge=8, description="longest sequence that it takes, in tokens")

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Shape:
        if self.width % self.heads:
            raise ValueError(f"width must be a multiple of heads, got {self.width}, {self.heads}")
        return self


class Phase(StrictModel):
    """A stretch of training with its own text, budget and schedule."""

    steps: int | None = Field(None, ge=0, description="0: the weights as they are")
    minutes: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="of training, in place of steps"
    )
    batch_size: int = Field(256, ge=1, description="sequences per optimizer step")
    learning_rate: float = Field(1.5e-3, gt=0, le=1, description="peak of the schedule")
    warmup_fraction: float = Field(0.03, gt=0, lt=1, description="share of the budget")
    betas: tuple[Beta, Beta] = Field((0.9, 0.98), strict=False, description="of AdamW")
    weight_decay: float = Field(0.01, ge=0, le=1)
    clip_norm: float = Field(1.0, gt=0, description="largest length of the gradient")

    @model_validator(mode="after")
    def _one_budget(self) -> Phase:
        if (self.steps is None) == (self.minutes is None):
            raise ValueError("must have a budget, either steps or minutes")
        return self


_CORPUS = Phase(steps=1000)  # pyright: ignore[reportCallIssue] - pydantic's defaults
_ADAPTATION = Phase(steps=200, learning_rate=5e-4)  # pyright: ignore[reportCallIssue]


class Recipe(StrictModel):
    """What a YAML file for ``pretrain.py`` says."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    vocabulary: int = Field(8192, ge=64, le=65536, description="word pieces, from scratch")
    shape: Shape = Shape()  # pyright: ignore[reportCallIssue] - pydantic's defaults
    attention: Literal["near", "plain"] = Field(
        "near", description="from scratch, near: it begins with a preference for near tokens"
    )
    sequence_length: int = Field(64, ge=8, description="tokens, the first is [CLS]")
    starts: Literal["even", "inside"] = Field(
        "even", description="even: first and last positions are trained as often as the others"
    )
    mask_fraction: float = Field(0.2, gt=0, lt=1, description="chance of choosing a piece")
    masking: Literal["pieces", "words"] = Field("pieces", description="words: all their pieces")
    heldout_fraction: float = Field(
        0.01, gt=0, le=0.5, description="1 / n of the paragraphs, if no held-out files are given"
    )
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    seed: int = Field(0, ge=0, lt=2**63, description="fixes weights, cuts, order and masks")
    corpus: Phase = _CORPUS
    adaptation: Phase = _ADAPTATION

    @model_validator(mode="before")
    @classmethod
    def _keep_defaults_of_phases(cls, content: object) -> object:
        """Let a phase that says something keep its defaults for the rest."""
        if not isinstance(content, dict):
            return content
        completed = dict(content)
        for name, phase in (("corpus", _CORPUS), ("adaptation", _ADAPTATION)):
            given = content.get(name)
            if isinstance(given, dict):
                unused = {"minutes", *({"steps"} if given.get("minutes") is not None else ())}
                completed[name] = phase.model_dump(exclude=unused) | given
        return completed


def load_recipe(path: Path, overrides: list[str]) -> Recipe:
    """Return the recipe in ``path``, changed by ``key=value`` overrides, as ``corpus.steps=10``.

    Raises:
        ConfigError: With every problem of the file and the overrides.
        OSError: If the file cannot be read.
    """

    def prepare(content: dict[str, Any]) -> list[str]:
        return [problem for override in overrides for problem in _apply(content, override)]

    return read_model(path, Recipe, (Phase, Shape), prepare)


def _apply(content: dict[str, Any], override: str) -> list[str]:
    """Put the value into ``content`` in place; return the problems found.

    A budget takes the place of the other one: ``corpus.minutes=5`` ends by the clock.
    """
    key_path, value, problems = parse_override(override)
    if not key_path:
        return problems
    *sections, field = key_path
    target = find_section(content, sections)
    if target is None:
        return [*problems, f"--set {override}: {sections[-1]} holds a value and has no {field}"]
    for budget, other in (("steps", "minutes"), ("minutes", "steps")):
        if field == budget:
            target.pop(other, None)
    target[field] = value
    return problems
