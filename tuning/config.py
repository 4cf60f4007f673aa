"""What an experiment may say: one strict model for the YAML file, one for a point of its grid."""

from __future__ import annotations

import ast
import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from tuning.messages import describe
from tuning.space import Axis, SearchSettings, condition_problems
from tuning.yaml_files import parse_yaml, read_yaml

HeadName = Literal["attention_pooling", "bilstm_attention", "cross_attention", "mean_pooling"]


class ConfigError(ValueError):
    """An experiment that cannot run; the message lists every problem found."""

    def __init__(self, source: str, problems: list[str]) -> None:
        super().__init__("\n".join([f"{source}:", *(f"  - {problem}" for problem in problems)]))
        self.problems = problems


def _known_freezing(value: object) -> object:
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if whole or value in ("all", "some", "none"):
        return value
    raise ValueError(f"must be all, some, none or a number of layers from 0, got {value!r}")


def _known_encoder_rate(value: object) -> object:
    number = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1
    if number or value == "same":
        return value
    raise ValueError(f"must be 'same' or a number above 0 and up to 1, got {value!r}")


class StrictModel(BaseModel):
    """Frozen; unknown keys and values of another type are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class TrialConfig(StrictModel):
    """One point of the search space: everything that one training run depends on."""

    freezing: Annotated[str | int, BeforeValidator(_known_freezing)] = Field(
        "all", description="frozen lower layers: all, some (two thirds), none, or how many"
    )
    head: HeadName = Field("cross_attention", description="what reads the token states")
    head_width: int = Field(
        128, ge=2, multiple_of=2, description="features of the first projection"
    )
    dropout: float = Field(0.2, ge=0, lt=1, description="chance of dropping a feature of the head")
    optimizer: Literal["adamw", "sgd"] = Field("adamw", description="sgd has momentum")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="peak step size of the head")
    encoder_learning_rate: Annotated[float | str, BeforeValidator(_known_encoder_rate)] = Field(
        5e-5, description="peak step size of trained encoder layers; same: that of the head"
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="of SGD; AdamW ignores it")
    weight_decay: float = Field(0.01, ge=0, le=1, description="decoupled in AdamW, L2 in SGD")
    warmup_fraction: float = Field(0.1, ge=0, lt=1, description="share of steps spent warming up")
    clip_norm: float = Field(1.0, gt=0, description="largest length of the gradient")
    batch_size: int = Field(32, ge=1, description="pairs per optimizer step")
    epochs: int = Field(5, ge=1, description="passes over the training split")
    min_steps: int = Field(0, ge=0, description="optimizer steps; small data gets more epochs")
    targets: Literal["auto", "labels", "votes"] = Field(
        "auto", description="0/1 labels, or the share of votes for paraphrase; auto: votes if any"
    )
    both_orders: bool = Field(
        True, description="train on either order of a pair, average both when scoring"
    )
    overlap_features: bool = Field(
        False, description="classify from counts of shared words beside the encoder too"
    )
    layer_decay: float = Field(
        1.0, gt=0, le=1, description="rate of each trained layer as a share of that above it"
    )
    r_drop: float = Field(
        0.0, ge=0, description="weight of the divergence between two passes with other dropout"
    )
    seed: int = Field(0, ge=0, description="fixes initial weights, dropout and batch order")
    order_seed: int | None = Field(
        None, ge=0, description="fixes dropout and batch order in place of the seed"
    )

    def fit_to_data(self, *, pairs: int, votes: bool) -> TrialConfig:
        """Return the trial with what depends on the data decided: its targets, its epochs.

        ``targets: auto`` becomes votes where every pair has them; epochs are added until there
        are ``min_steps`` optimizer steps.

        Args:
            pairs: Of the training split.
            votes: Whether every pair has votes.
        """
        steps = math.ceil(pairs / self.batch_size)
        found = "votes" if votes else "labels"
        return self.model_copy(
            update={
                "targets": found if self.targets == "auto" else self.targets,
                "epochs": max(self.epochs, math.ceil(self.min_steps / steps)),
            }
        )


def config_from_params(params: Mapping[str, str]) -> TrialConfig:
    """Return the configuration that a run's logged parameters spell out.

    Raises:
        ValidationError: If they are no configuration of this version.
    """
    return TrialConfig.model_validate(
        {name: _literal(params[name]) for name in TrialConfig.model_fields if name in params}
    )


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


class Cleaning(StrictModel):
    """Which of the light repairs in ``tuning.cleaning`` are applied to each definition."""

    html_quotes: bool = True
    unicode: bool = True
    bullets: bool = True
    spaces: bool = True


class Experiment(StrictModel):
    """What a YAML file in ``experiments`` says."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    data: str = Field("auto", min_length=1, description="auto, parade, embedded or a folder")
    encoder: str = Field(
        "auto", min_length=1, description="auto, embedded, a folder or a hub name"
    )
    cleaning: Cleaning = Cleaning()
    max_tokens: int | None = Field(None, ge=8, description="per pair; null: the encoder's limit")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of the encoder; auto: bfloat16 where the machine multiplies it faster"
    )
    cache_activations: bool = Field(True, description="run the frozen layers once, not per epoch")
    gpus_per_trial: Literal["auto"] | Annotated[float, Field(gt=0, le=1)] = "auto"
    trial: TrialConfig = TrialConfig()  # pyright: ignore[reportCallIssue] - pydantic's defaults
    grid: dict[str, list[Any]] = Field(default_factory=dict)
    search: SearchSettings | None = None
    space: dict[str, Axis] = Field(default_factory=dict)

    def trials(self) -> list[TrialConfig]:
        """Return every point of the grid, the last axis changing fastest."""
        fixed = self.trial.model_dump()
        combinations = itertools.product(*self.grid.values())
        return [
            TrialConfig(**fixed | dict(zip(self.grid, values, strict=True)))
            for values in combinations
        ]

    def corners(self, ablated_depth: int) -> list[TrialConfig]:
        """Return a trial for each combination of what the data of a search's trials depend on.

        Those are freezing, orders and overlap features; an ablation needs some of its own.

        Args:
            ablated_depth: Frozen layers where an ablation needs trained ones.
        """
        own = {"freezing": [ablated_depth], "both_orders": [True], "overlap_features": [True]}
        ablated = own if self.search is not None and self.search.ablations else {}
        axes = {
            name: list(dict.fromkeys([*ends, *ablated.get(name, [])]))
            for name in own
            for ends in [
                self.space[name].ends if name in self.space else [getattr(self.trial, name)]
            ]
        }
        fixed = self.trial.model_dump()
        return [
            TrialConfig(**fixed | dict(zip(axes, values, strict=True)))
            for values in itertools.product(*axes.values())
        ]


def load_experiment(path: Path, overrides: list[str] | None = None) -> Experiment:
    """Return the experiment in ``path``, changed by ``key=value`` overrides.

    Raises:
        ConfigError: With every problem of the file and the overrides.
        OSError: If the file cannot be read.
    """
    content, problems = read_yaml(path)
    if not isinstance(content, dict):
        raise ConfigError(str(path), problems or ["must be a mapping of keys to values"])
    for override in overrides or []:
        problems += apply_override(content, override)
    problems += _grid_problems(content.get("grid", {}))
    problems += _space_problems(content.get("space", {}))
    try:
        experiment = Experiment.model_validate(content)
    except ValidationError as error:
        models = (Experiment, TrialConfig, Cleaning, SearchSettings, Axis)
        known = [name for model in models for name in model.model_fields]
        raise ConfigError(str(path), problems + describe(error, known)) from error
    problems += condition_problems(experiment.space, TrialConfig.model_fields)
    if problems:
        raise ConfigError(str(path), problems)
    return experiment


def apply_override(content: dict[str, Any], override: str) -> list[str]:
    """Put ``key=value`` into ``content`` in place; return the problems found.

    A key of a trial may be written without ``trial.``: a list makes it an axis of the grid, a
    single value takes it off the grid.
    """
    key, separator, text = override.partition("=")
    if not separator:
        return [f"--set {override}: must be key=value"]
    value, problems = parse_yaml(text)
    section, _, field = key.partition(".")
    if field:
        if not isinstance(content.setdefault(section, {}), dict):
            return [*problems, f"--set {override}: {section} holds a value and has no {field}"]
        content[section][field] = value
    elif key in TrialConfig.model_fields and isinstance(value, list):
        content.setdefault("grid", {})[key] = value
    elif key in TrialConfig.model_fields:
        content.get("grid", {}).pop(key, None)
        content.setdefault("trial", {})[key] = value
    else:
        content[key] = value
    return problems


def _grid_problems(grid: object) -> list[str]:
    """Return what is wrong with the axes, each value checked as the field it would set."""
    if not isinstance(grid, dict):
        return []  # the model itself reports that this is no mapping
    problems = []
    for key, values in grid.items():
        if not isinstance(values, list):
            continue
        if not values:
            problems.append(f"grid.{key}: must have at least one value")
        if len({repr(value) for value in values}) < len(values):
            problems.append(f"grid.{key}: must not repeat a value, got {values}")
        for position, value in enumerate(values):
            problems += _point_problems(key, value, f"grid.{key}[{position}]")
            if key not in TrialConfig.model_fields:
                break
    return problems


def _space_problems(space: object) -> list[str]:
    """Return what is wrong with the values that the axes of a search can take."""
    if not isinstance(space, dict):
        return []
    problems = []
    for key, content in space.items():
        try:
            ends = Axis.model_validate(content).ends
        except ValidationError:
            ends = [] if key in TrialConfig.model_fields else [None]  # the model tells the rest
        for place, value in enumerate(ends):
            where = (
                ("low", "high")[place] if isinstance(content, dict) and "low" in content else place
            )
            problems += _point_problems(key, value, f"space.{key}[{where}]")
            if key not in TrialConfig.model_fields:
                break
    if any(key in space for key in ("seed", "order_seed")):
        problems.append("space: seeds are not searched for; search.seeds says how many")
    return problems


def _point_problems(key: str, value: object, place: str) -> list[str]:
    try:
        TrialConfig.model_validate({key: value})
    except ValidationError as error:
        problems = describe(error, list(TrialConfig.model_fields))
        return [problem.replace(key, place, 1) for problem in problems]
    return []
