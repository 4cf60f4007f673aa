"""What an experiment may say: one strict model for the YAML file, one for a point of its grid."""

from __future__ import annotations

import ast
import itertools
import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from tuning.config.search_space import Axis, SearchSettings

HeadName = Literal["attention_pooling", "bilstm_attention", "cross_attention", "mean_pooling"]


class ConfigError(ValueError):
    """An experiment that cannot run; the message lists every problem found."""

    def __init__(self, source: str, problems: list[str]) -> None:
        super().__init__("\n".join([f"{source}:", *(f"  - {problem}" for problem in problems)]))
        self.problems = problems


def _known_freezing(value: object) -> object:
    is_whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if is_whole or value in ("all", "some", "none"):
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

    freezing: Annotated[
        str | int,
        BeforeValidator(
            _known_freezing,
            json_schema_input_type=Literal["all", "some", "none"] | Annotated[int, Field(ge=0)],
        ),
    ] = Field("all", description="frozen lower layers: all, some (two thirds), none, or how many")
    head: HeadName = Field(
        "cross_attention", description="module from the encoder's token states to class logits"
    )
    head_width: int = Field(
        128, ge=2, multiple_of=2, description="features of the first projection"
    )
    dropout: float = Field(0.2, ge=0, lt=1, description="chance of dropping a feature of the head")
    optimizer: Literal["adamw", "sgd"] = Field(
        "adamw", description="optimizer of head and trained layers; sgd has momentum"
    )
    learning_rate: float = Field(1e-3, gt=0, le=1, description="peak step size of the head")
    encoder_learning_rate: Annotated[
        float | str,
        BeforeValidator(
            _known_encoder_rate,
            json_schema_input_type=Literal["same"] | Annotated[float, Field(gt=0, le=1)],
        ),
    ] = Field(5e-5, description="peak step size of trained encoder layers; same: that of the head")
    momentum: float = Field(0.9, ge=0, lt=1, description="momentum of SGD; AdamW ignores it")
    weight_decay: float = Field(
        0.01, ge=0, le=1, description="weight decay, decoupled in AdamW, L2 in SGD"
    )
    warmup_fraction: float = Field(0.1, ge=0, lt=1, description="share of steps spent warming up")
    clip_norm: float = Field(1.0, gt=0, description="largest length of the gradient")
    batch_size: int = Field(32, ge=1, description="pairs per optimizer step")
    epochs: int = Field(5, ge=1, description="passes over the training split")
    min_steps: int = Field(
        0, ge=0, description="least optimizer steps; small data gets more epochs"
    )
    targets: Literal["auto", "labels", "votes"] = Field(
        "auto",
        description="goal of training: 0/1 labels, or the share of votes for paraphrase; "
        "auto: votes if any",
    )
    both_orders: bool = Field(
        True, description="train on either order of a pair, average both when scoring"
    )
    overlap_features: bool = Field(
        False, description="classify from counts of shared words beside the encoder too"
    )
    layer_decay: float = Field(
        1.0, gt=0, le=1, description="learning rate of a trained layer as a share of that above"
    )
    r_drop: float = Field(
        0.0, ge=0, description="weight of R-Drop: divergence of two passes with other dropout"
    )
    seed: int = Field(0, ge=0, description="fixes initial weights, dropout and batch order")
    order_seed: int | None = Field(
        None,
        ge=0,
        description="fixes dropout and batch order in place of the seed; null: does not",
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
    """Which of the light repairs in ``models.cleaning`` are applied to each definition."""

    html_quotes: Annotated[
        bool, Field(description='write &", a broken &quot;, as a quotation mark')
    ] = True
    unicode: Annotated[
        bool, Field(description="bring letters and signs into their plain form, NFKC")
    ] = True
    bullets: Annotated[
        bool, Field(description="remove bullets, stars and dashes at the start")
    ] = True
    spaces: Annotated[bool, Field(description="make one space of each run of white space")] = True


class Experiment(StrictModel):
    """What a YAML file in ``experiments`` says."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", description="name of the experiment in the log"
    )
    data: str = Field("auto", min_length=1, description="data: auto, parade, embedded or a folder")
    encoder: str = Field(
        "auto", min_length=1, description="encoder: auto, embedded, a folder or a hub name"
    )
    cleaning: Cleaning = Field(
        default_factory=Cleaning,
        description="light repairs of each definition; all of them if not said",
    )
    max_tokens: int | None = Field(
        None, ge=8, description="longest pair in tokens; null: the encoder's limit"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="numbers that the encoder computes with; "
        "auto: bfloat16 where the machine multiplies it faster",
    )
    cache_activations: bool = Field(True, description="run the frozen layers once, not per epoch")
    gpus_per_trial: Literal["auto"] | Annotated[float, Field(gt=0, le=1)] = Field(
        "auto",
        description="share of a GPU that a trial takes, above 0 and up to 1; auto: measured",
    )
    report_timeout: float = Field(
        3600, gt=0, description="seconds after which a worker that reports no epoch is killed"
    )
    trial: TrialConfig = Field(
        default_factory=TrialConfig,  # pyright: ignore[reportArgumentType] - pydantic's defaults
        description="values that all trials share",
    )
    grid: dict[str, list[Any]] = Field(
        default_factory=dict, description="lists of values; each combination of them is a trial"
    )
    search: SearchSettings | None = Field(None, description="how a search proceeds")
    space: dict[str, Axis] = Field(
        default_factory=dict, description="what a search varies: lists of choices, or ranges"
    )

    def trials(self) -> list[TrialConfig]:
        """Return every point of the grid, the last axis changing fastest."""
        fixed = self.trial.model_dump()
        combinations = itertools.product(*self.grid.values())
        return [
            TrialConfig(**fixed | dict(zip(self.grid, values, strict=True)))
            for values in combinations
        ]

    def input_variants(self, ablated_depth: int) -> list[TrialConfig]:
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


def varied_fields(trials: Iterable[TrialConfig]) -> list[str]:
    """Return the fields in which the trials differ, in the order of ``TrialConfig``."""
    values = [trial.model_dump() for trial in trials]
    return [name for name in TrialConfig.model_fields if len({str(v[name]) for v in values}) > 1]
