"""Models of an experiment: the fields of its YAML file, with defaults, ranges and meanings."""

from __future__ import annotations

import itertools
import math
from typing import Annotated, Any, Literal

from pydantic import Field

from measures.objective import ThresholdRule
from models.strict_yaml import StrictModel
from tuning.config.field_types import EncoderRate, Freezing, HeadName
from tuning.config.search_space import Axis, SearchSettings


class ConfigError(ValueError):
    """An experiment that cannot run; the message lists every problem found.

    Args:
        source: File or experiment that has the problems; it opens the message.
        problems: Sentences, one for each problem.
    """

    def __init__(self, source: str, problems: list[str]) -> None:
        super().__init__("\n".join([f"{source}:", *(f"  - {problem}" for problem in problems)]))
        self.problems = problems


class TrialConfig(StrictModel):
    """One trial: all settings that one training run depends on."""

    freezing: Freezing = Field(
        "all", description="frozen lower encoder layers: all, some (two thirds), none, or a number"
    )
    encoding: Literal["pair", "separate"] = Field(
        "separate",
        description="whether the encoder reads both texts of a pair together, or each alone: "
        "separate states are computed and kept once for each different text",
    )
    head: HeadName = Field(
        "cross_attention",
        description="module from token states to class logits; mean_pooling has no attention",
    )
    head_width: int = Field(
        128, ge=2, multiple_of=2, description="features of the head's first projection"
    )
    dropout: float = Field(0.2, ge=0, lt=1, description="chance of dropping a feature of the head")
    optimizer: Literal["adamw", "sgd"] = Field(
        "adamw", description="optimizer of the head and of the trained encoder layers"
    )
    learning_rate: float = Field(1e-3, gt=0, le=1, description="peak learning rate of the head")
    encoder_learning_rate: EncoderRate = Field(
        5e-5, description="peak learning rate of trained encoder layers; same: that of the head"
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="momentum of SGD; AdamW ignores it")
    weight_decay: float = Field(
        0.01, ge=0, le=1, description="weight decay: decoupled in AdamW, an L2 penalty in SGD"
    )
    warmup_fraction: float = Field(
        0.1, ge=0, lt=1, description="share of the steps in which the learning rate rises"
    )
    clip_norm: float = Field(
        1.0, gt=0, description="largest L2 norm of the gradient; a longer one is scaled down"
    )
    batch_size: int = Field(32, ge=1, description="sentence pairs per optimizer step")
    epochs: int = Field(
        5, ge=1, description="passes over the training split; the best on validation is kept"
    )
    min_steps: int = Field(
        0, ge=0, description="smallest number of optimizer steps; small data gets more epochs"
    )
    targets: Literal["auto", "labels", "votes"] = Field(
        "auto",
        description="training targets: labels (0 or 1), or votes (share of annotators who said "
        "paraphrase); auto: votes if every pair has them",
    )
    class_weight: Literal["none", "balanced"] = Field(
        "none",
        description="weight of a class in the loss; balanced: both classes count alike, however "
        "rare one of them is",
    )
    threshold_rule: ThresholdRule = Field(
        "steady",
        description="threshold that is chosen on validation: maximum (the highest F1), or steady "
        "(the highest accuracy of all with nearly that F1, on smoothed curves)",
    )
    both_orders: bool = Field(
        True, description="whether to train on either order of a pair and average both scores"
    )
    overlap_features: bool = Field(
        False, description="whether to classify from counts of shared words as well"
    )
    cosine_feature: Literal["auto"] | bool = Field(
        "auto",
        description="whether to classify from the cosine of both texts' mean frozen states as "
        "well; needs encoding: separate and a frozen layer; auto: where it has both",
    )
    layer_mean: bool = Field(
        False, description="whether the head reads the mean of all layers, if all are frozen"
    )
    layer_decay: float = Field(
        1.0,
        gt=0,
        le=1,
        description="learning rate of a trained encoder layer as a share of the layer's above",
    )
    r_drop: float = Field(
        0.0, ge=0, description="weight of R-Drop: two passes with other dropout should agree"
    )
    seed: int = Field(
        0, ge=0, lt=2**63, description="random seed of initial weights, dropout and batch order"
    )
    order_seed: int | None = Field(
        None,
        ge=0,
        lt=2**63,
        description="random seed of dropout and batch order; null: that of seed",
    )

    def fit_to_data(self, *, pairs: int, votes: bool) -> TrialConfig:
        """Return the trial with the values that depend on the data and on other fields.

        ``targets: auto`` becomes votes if every pair has them, ``cosine_feature: auto`` true if
        texts are encoded separately by a frozen layer; epochs are added until there are
        ``min_steps`` optimizer steps.

        Args:
            pairs: Number of pairs in the training split.
            votes: Whether every pair has votes.
        """
        steps = math.ceil(pairs / self.batch_size)
        found = "votes" if votes else "labels"
        can_compare = self.encoding == "separate" and self.freezing not in ("none", 0)
        return self.model_copy(
            update={
                "targets": found if self.targets == "auto" else self.targets,
                "cosine_feature": can_compare
                if self.cosine_feature == "auto"
                else self.cosine_feature,
                "epochs": max(self.epochs, math.ceil(self.min_steps / steps)),
            }
        )


class Cleaning(StrictModel):
    """Switches of the light repairs of a text, the steps of ``models.cleaning``."""

    html_quotes: Annotated[
        bool, Field(description='whether to turn &", a broken &quot;, into a quotation mark')
    ] = True
    unicode: Annotated[
        bool,
        Field(description="whether to write ligatures and wide letters in plain form (NFKC)"),
    ] = True
    bullets: Annotated[
        bool, Field(description="whether to remove bullets, stars and dashes at the start")
    ] = True
    spaces: Annotated[
        bool, Field(description="whether to turn each run of white space into one space")
    ] = True


class Validation(StrictModel):
    """What the trials of a search are validated on."""

    folds: int | None = Field(
        None,
        ge=2,
        le=20,
        description="number of folds of train and validation together, drawn anew for each trial "
        "of a search and trained in place of its seeds; null: the validation split",
    )


class Experiment(StrictModel):
    """A YAML file in ``experiments``: a grid of trials, or a search."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$",
        description="name of the MLflow experiment: lower-case letters, digits, - and _",
    )
    data: str = Field(
        "auto",
        min_length=1,
        description="data set: parade, embedded, a folder, or auto: parade if available",
    )
    encoder: str = Field(
        "auto",
        min_length=1,
        description="encoder: embedded, a folder, a hub name, or auto: DistilBERT if available",
    )
    cleaning: Cleaning = Field(
        default_factory=Cleaning, description="light repairs of each text, all on by default"
    )
    max_tokens: int | None = Field(
        None,
        ge=8,
        description="longest pair in word pieces, or longest text where each is encoded alone; "
        "null: the encoder's limit",
    )
    truncate: bool = Field(
        False, description="whether to cut texts that are longer than the encoder takes"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="number format of the encoder; auto: bfloat16 where this machine is faster",
    )
    occlusion: bool = Field(
        True,
        description="whether a grid measures, for the surest errors of the best trial of each "
        "freezing mode, what deleting each word changes; a few seconds at its end",
    )
    cache_activations: bool = Field(
        True, description="whether to run the frozen layers once, and not in every epoch"
    )
    gpus_per_trial: Literal["auto"] | Annotated[float, Field(gt=0, le=1)] = Field(
        "auto",
        description="share of a GPU for each trial, up to 1; auto: by the memory that it takes",
    )
    report_timeout: float = Field(
        3600, gt=0, description="seconds without a finished epoch until a worker is killed"
    )
    trial: TrialConfig = Field(
        default_factory=TrialConfig,  # pyright: ignore[reportArgumentType] - pydantic's defaults
        description="values that all trials share",
    )
    grid: dict[str, list[Any]] = Field(
        default_factory=dict, description="lists of values; each combination is a trial"
    )
    search: SearchSettings | None = Field(
        None, description="settings of a search; null: the experiment is a grid"
    )
    space: dict[str, Axis] = Field(
        default_factory=dict, description="fields that a search varies: choices, or a range"
    )
    validation: Validation = Field(
        default_factory=Validation,  # pyright: ignore[reportArgumentType] - pydantic's defaults
        description="what the trials of a search are validated on",
    )

    def trials(self) -> list[TrialConfig]:
        """Return the trials of the grid: all combinations, the last field changing fastest."""
        fixed = self.trial.model_dump()
        combinations = itertools.product(*self.grid.values())
        return [
            TrialConfig(**fixed | dict(zip(self.grid, values, strict=True)))
            for values in combinations
        ]
