"""Models of a search: axes of its space (choices, ranges, conditions) and its settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from measures.objective import ObjectiveName


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


Condition = dict[str, Annotated[list[Any], BeforeValidator(_as_list)]]


class Axis(BaseModel):
    """The values of one field of a trial in a search: ``choices``, or ``low`` to ``high``.

    ``when`` gives values of other fields. Where another field has none of them, this field is not
    drawn and keeps its fixed value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    choices: list[Any] | None = Field(None, description="values, one of which is drawn")
    low: int | float | None = Field(
        None, allow_inf_nan=False, description="smallest value that is drawn"
    )
    high: int | float | None = Field(
        None, allow_inf_nan=False, description="largest value that is drawn"
    )
    log: bool = Field(
        False, description="whether to draw the logarithm evenly, for learning rates"
    )
    when: Condition = Field(
        default_factory=dict,
        description="values of other fields, one or a list each; only with them is this field "
        "drawn",
    )

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"choices": value} if isinstance(value, list) else value

    @model_validator(mode="after")
    def _one_kind(self) -> Axis:
        numbers = (self.low, self.high)
        if self.choices is not None:
            if any(number is not None for number in numbers) or self.log:
                raise ValueError("must have choices, or low and high, not both")
            if not self.choices:
                raise ValueError("choices: must have at least one value")
            if len({repr(choice) for choice in self.choices}) < len(self.choices):
                raise ValueError(f"choices: must not repeat a value, got {self.choices}")
            return self
        if self.low is None or self.high is None:
            raise ValueError("must be a list of choices, or have low and high")
        if self.low >= self.high:
            raise ValueError(f"low must be below high, got {self.low:g} and {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"low must be above 0 where log is true, got {self.low:g}")
        return self

    @property
    def ends(self) -> list[Any]:
        """Return the choices, or the two ends of the range."""
        return [self.low, self.high] if self.choices is None else self.choices

    def holds(self, value: object) -> bool:
        """Return whether the value can be drawn from this axis."""
        if self.choices is not None:
            return any(repr(value) == repr(choice) for choice in self.choices)
        if self.low is None or self.high is None or isinstance(value, bool):
            return False
        if not isinstance(value, int | float):
            return False
        return self.low <= value <= self.high


class SearchSettings(BaseModel):
    """The settings of a search: its length, early stopping, confirmation and ablations."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    num_samples: int = Field(40, ge=1, description="number of configurations to try")
    objective: ObjectiveName = Field(
        "auc",
        description="what trials are ranked by, on validation: auc, or f1 at the chosen threshold",
    )
    seeds: int = Field(
        2, ge=1, description="number of seeds of each configuration, trained together in one trial"
    )
    max_concurrent: int | None = Field(
        None,
        ge=1,
        description="trials at a time; null: as many as cores or GPU shares allow",
    )
    time_budget: float | None = Field(
        None, gt=0, description="seconds for all trials of the search; null: no limit"
    )
    scheduler: Literal["none", "asha", "median"] = Field(
        "asha",
        description="early stopping of weak trials: asha (successive halving), median (below the "
        "others' median), or none",
    )
    grace_period: int = Field(
        2,
        ge=2,
        description="epochs in which no trial is stopped; after the first a good trial may still "
        "call every pair a paraphrase",
    )
    startup_trials: int = Field(
        10,
        ge=1,
        description="number of trials, spread evenly over the space, before TPE models them; "
        "what a warm start or try_first gives does not count",
    )
    seed: int = Field(
        0, ge=0, le=2**31, description="random seed of the sampler, and first seed of the trials"
    )
    warm_start: str | None = Field(
        None, description="name of a finished experiment to learn from; null: none"
    )
    try_first: list[dict[str, Any]] = Field(
        default_factory=list,
        description="configurations to try first; fields that one leaves out are drawn",
    )
    study: str | None = Field(
        None, min_length=1, description="name of the Optuna study; null: that of the experiment"
    )
    confirm: int = Field(
        8, ge=1, description="number of best configurations to train again on racing seeds"
    )
    racing_seeds: int = Field(
        2, ge=1, description="number of racing seeds, which choose the finalists"
    )
    finalists: int | None = Field(
        3,
        ge=1,
        description="number of configurations, the best on the racing seeds, to train on fresh "
        "seeds; null: all, without a race",
    )
    fresh_seeds: int = Field(
        5, ge=2, description="number of fresh seeds of each finalist, which choose the champion"
    )
    ablations: bool = Field(
        True, description="whether to switch recommended options on and off in the champion"
    )


Space = dict[str, Axis]


def is_active(axis: Axis, values: Mapping[str, Any]) -> bool:
    """Return whether the axis is drawn, given the values of the other fields."""
    return all(_holds(allowed, values.get(name)) for name, allowed in axis.when.items())


def _holds(allowed: list[Any], value: object) -> bool:
    return any(repr(value) == repr(wanted) for wanted in allowed)  # true is not 1


def describe(axis: Axis) -> str:
    """Return the choices or the range of an axis in words."""
    if axis.choices is not None:
        return ", ".join(str(choice) for choice in axis.choices)
    return f"{axis.low:g} to {axis.high:g}"


def first_problems(space: Space, first: list[dict[str, Any]]) -> list[str]:
    """Return a sentence for each value of ``try_first`` that cannot be drawn from the space."""
    problems = []
    for number, values in enumerate(first):
        for name, value in values.items():
            key_path = f"search.try_first[{number}].{name}"
            if name not in space:
                problems.append(f"{key_path}: is not in the space")
            elif not space[name].holds(value):
                problems.append(f"{key_path}: {value!r} is outside of {describe(space[name])}")
            else:
                problems += [
                    f"{key_path}: is not drawn where {other} is {values[other]!r}"
                    for other, allowed in space[name].when.items()
                    if other in values and not _holds(allowed, values[other])
                ]
    return problems


def comparison_problems(space: Space, search: SearchSettings) -> list[str]:
    """Return a sentence if trials would be stopped whose number of epochs is drawn.

    Trials are compared at shares of their epochs, which begin where the grace period ends: that
    is a number of epochs.
    """
    if "epochs" not in space or search.scheduler == "none":
        return []
    return [
        f"space.epochs: must be fixed where search.scheduler is {search.scheduler}, which "
        "counts search.grace_period in these epochs; set trial.epochs, or search.scheduler: none"
    ]


def condition_problems(space: Space, fixed: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each condition that cannot be decided or can never hold.

    Args:
        space: Axes in the order of the file, in which they are drawn.
        fixed: Values of all fields of a trial, for those that are not drawn.
    """
    problems, above = [], []
    for name, axis in space.items():
        for other, allowed in axis.when.items():
            key_path = f"space.{name}.when.{other}"
            if other not in space and other not in fixed:
                problems.append(f"{key_path}: unknown field")
            elif other not in space and not _holds(allowed, fixed[other]):
                problems.append(
                    f"{key_path}: never holds, because {other} is {fixed[other]!r} in all trials"
                )
            elif other in space and other not in above:
                problems.append(f"{key_path}: {other} must be above {name} in the space")
            elif other in space:
                problems += [
                    f"{key_path}: {value!r} is never drawn; {other} is one of "
                    f"{describe(space[other])}"
                    for value in allowed
                    if not space[other].holds(value)
                ]
        above.append(name)
    return problems
