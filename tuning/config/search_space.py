"""What a search varies and how it proceeds: ranges, choices, conditions, settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    pass


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


Condition = dict[str, Annotated[list[Any], BeforeValidator(_as_list)]]


class Axis(BaseModel):
    """How one parameter varies: either ``choices``, or a range from ``low`` to ``high``.

    ``when`` names values of other parameters; with any others the parameter is not drawn, and
    keeps its fixed value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    choices: list[Any] | None = Field(None, description="values, one of which is drawn")
    low: int | float | None = Field(
        None, allow_inf_nan=False, description="smallest value that is drawn"
    )
    high: int | float | None = Field(
        None, allow_inf_nan=False, description="largest value that is drawn"
    )
    log: bool = Field(False, description="draw the logarithm evenly")
    when: Condition = Field(
        default_factory=dict,
        description="values of other fields, one or a list, with which this one is drawn",
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
        """Return the values between or among which all others lie."""
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
    """How a search proceeds: how long, how it stops trials, how its best are confirmed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    num_samples: int = Field(40, ge=1, description="configurations that are tried")
    seeds: int = Field(2, ge=1, description="seeds of each configuration, trained together")
    max_concurrent: int | None = Field(None, ge=1, description="trials at a time; null: all cores")
    time_budget: float | None = Field(
        None, gt=0, description="seconds for all trials; null: no limit"
    )
    scheduler: Literal["none", "asha", "median"] = Field(
        "asha", description="what stops trials that fall behind"
    )
    grace_period: int = Field(
        2, ge=2, description="epochs without stopping; the first may still be all positive"
    )
    startup_trials: int = Field(
        10, ge=1, description="trials drawn at random before TPE models any"
    )
    seed: int = Field(
        0, ge=0, le=2**31, description="seed of the sampler, and the first of the trials' seeds"
    )
    warm_start: str | None = Field(
        None, description="name of a finished experiment to learn from; null: none"
    )
    try_first: list[dict[str, Any]] = Field(
        default_factory=list, description="values to begin with; what they leave out is drawn"
    )
    study: str | None = Field(
        None, min_length=1, description="name of the study in Optuna; null: the search's"
    )
    confirm: int = Field(3, ge=1, description="best configurations that are retrained")
    fresh_seeds: int = Field(5, ge=2, description="seeds of each configuration that is retrained")
    ablations: bool = Field(True, description="whether to retrain the champion without each lever")


Space = dict[str, Axis]


def is_active(axis: Axis, values: Mapping[str, Any]) -> bool:
    """Return whether the axis counts beside these values of other parameters."""
    return all(
        any(repr(values.get(name)) == repr(wanted) for wanted in allowed)
        for name, allowed in axis.when.items()
    )


def describe(axis: Axis) -> str:
    """Return the axis in words."""
    if axis.choices is not None:
        return ", ".join(str(choice) for choice in axis.choices)
    return f"{axis.low:g} to {axis.high:g}"


def first_problems(space: Mapping[str, Axis], first: list[dict[str, Any]]) -> list[str]:
    """Return which of the values to begin with cannot be drawn."""
    problems = []
    for number, values in enumerate(first):
        for name, value in values.items():
            key_path = f"search.try_first[{number}].{name}"
            if name not in space:
                problems.append(f"{key_path}: is not in the space")
            elif not space[name].holds(value):
                problems.append(f"{key_path}: {value!r} is outside of {describe(space[name])}")
    return problems


def condition_problems(space: Mapping[str, Axis], fixed: Iterable[str]) -> list[str]:
    """Return which conditions can never be decided or never be true."""
    problems, above = [], []
    for name, axis in space.items():
        for other, allowed in axis.when.items():
            key_path = f"space.{name}.when.{other}"
            if other not in space and other not in fixed:
                problems.append(f"{key_path}: unknown parameter")
            elif other in space and other not in above:
                problems.append(f"{key_path}: must stand above {name} in the space")
            elif other in space:
                strange = [value for value in allowed if not space[other].holds(value)]
                problems += [
                    f"{key_path}: {value!r} is never drawn; {other} is one of "
                    f"{describe(space[other])}"
                    for value in strange
                ]
        above.append(name)
    return problems
