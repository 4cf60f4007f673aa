"""Pretraining recipes: the models that define the fields of their YAML files, and the loader."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from models.strict_yaml import StrictModel
from tuning.config.settings_file import find_section, parse_override, read_model

Beta = Annotated[float, Field(ge=0, lt=1)]


class DivergedError(ValueError):
    """A training with a gradient that is not finite; the message has the step and the way out."""


class Shape(StrictModel):
    """The sizes of an encoder that is trained from scratch."""

    layers: int = Field(4, ge=1)
    width: int = Field(256, ge=2)
    heads: int = Field(4, ge=1)
    inner_width: int = Field(1024, ge=1)
    positions: int = Field(256, ge=8, description="longest sequence, in tokens")

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Shape:
        if self.width % self.heads:
            raise ValueError(f"width must be a multiple of heads, got {self.width}, {self.heads}")
        return self


class Phase(StrictModel):
    """A stretch of training with its own text, budget and schedule."""

    steps: int | None = Field(
        None, ge=0, description="optimizer steps; 0 leaves the weights as they are"
    )
    minutes: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="training time in minutes, instead of steps"
    )
    batch_size: int = Field(256, ge=1, description="sequences per optimizer step")
    learning_rate: float = Field(1.5e-3, gt=0, le=1, description="peak step size of the schedule")
    warmup_fraction: float = Field(
        0.03, gt=0, lt=1, description="share of the budget spent warming up"
    )
    betas: tuple[Beta, Beta] = Field(
        (0.9, 0.98), strict=False, description="decay rates of AdamW's averages"
    )
    weight_decay: float = Field(0.01, ge=0, le=1)
    clip_norm: float = Field(1.0, gt=0, description="largest norm of the gradient")

    @model_validator(mode="after")
    def _one_budget(self) -> Phase:
        if (self.steps is None) == (self.minutes is None):
            raise ValueError("must have a budget, either steps or minutes")
        return self


_CORPUS = Phase(steps=1000)  # pyright: ignore[reportCallIssue] - pydantic's defaults
_ADAPTATION = Phase(steps=200, learning_rate=5e-4)  # pyright: ignore[reportCallIssue]


class Recipe(StrictModel):
    """The content of a YAML file for ``pretrain.py``."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    vocabulary: int = Field(
        8192, ge=64, le=65536, description="number of word pieces, from scratch"
    )
    shape: Shape = Shape()  # pyright: ignore[reportCallIssue] - pydantic's defaults
    attention: Literal["near", "plain"] = Field(
        "near", description="from scratch: near starts with a preference for near tokens"
    )
    sequence_length: int = Field(64, ge=8, description="tokens per sequence, with [CLS]")
    starts: Literal["even", "inside"] = Field(
        "even", description="even: first and last positions are trained as often as the others"
    )
    mask_fraction: float = Field(0.2, gt=0, lt=1, description="chance of masking a word piece")
    masking: Literal["pieces", "words"] = Field(
        "pieces", description="words masks all pieces of a word"
    )
    heldout_fraction: float = Field(
        0.01, gt=0, le=0.5, description="share of the text that is scored and not trained on"
    )
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    seed: int = Field(0, ge=0, lt=2**63, description="fixes weights, cuts, order and masks")
    corpus: Phase = _CORPUS
    adaptation: Phase = _ADAPTATION

    @model_validator(mode="before")
    @classmethod
    def _keep_defaults_of_phases(cls, content: object) -> object:
        """Fill the fields that a phase leaves out with the defaults of that phase."""
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
    """Return the recipe in a file.

    Args:
        path: YAML file of the recipe.
        overrides: Changes as ``key=value``, for example ``corpus.steps=10``.

    Raises:
        ConfigError: With every problem of the file and the overrides.
        OSError: If the file cannot be read.
    """

    def prepare(content: dict[str, Any]) -> list[str]:
        return [problem for override in overrides for problem in _apply(content, override)]

    return read_model(path, Recipe, (Phase, Shape), prepare, overrides)


def _apply(content: dict[str, Any], override: str) -> list[str]:
    """Set the value in ``content`` in place; return the problems found.

    One budget replaces the other: ``corpus.minutes=5`` removes ``corpus.steps``.
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
