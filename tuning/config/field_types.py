"""Types of a trial's fields that take either a word or a number, and the names of the heads."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

HeadName = Literal["attention_pooling", "bilstm_attention", "cross_attention", "mean_pooling"]


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


Freezing = Annotated[
    str | int,
    BeforeValidator(
        _known_freezing,
        json_schema_input_type=Literal["all", "some", "none"] | Annotated[int, Field(ge=0)],
    ),
]
EncoderRate = Annotated[
    float | str,
    BeforeValidator(
        _known_encoder_rate,
        json_schema_input_type=Literal["same"] | Annotated[float, Field(gt=0, le=1)],
    ),
]
