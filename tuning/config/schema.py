"""JSON schemas of what a YAML file may say, by which editors complete and check it.

python -m tuning.config.schema FILE writes that of an experiment.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from tuning.config.experiment import Experiment
from tuning.config.loader import NOT_SEARCHED

Schema = dict[str, Any]


class _WithoutTitles(GenerateJsonSchema):
    """Pydantic's schema, without titles that repeat the names of the fields."""

    def field_title_should_be_set(self, schema: object) -> bool:
        return False


def schema_of(model: type[BaseModel]) -> Schema:
    """Return the JSON schema of a model."""
    schema = model.model_json_schema(schema_generator=_WithoutTitles)
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema}


def experiment_schema() -> Schema:
    """Return the JSON schema of an experiment.

    The model takes any value in ``grid``, ``space`` and ``try_first``, and the loader checks it as
    the field that it is for; here it has the schema of that field.
    """
    schema = schema_of(Experiment)
    definitions, sections = schema["$defs"], schema["properties"]
    fields = definitions["TrialConfig"]["properties"]
    axis = definitions.pop("Axis")["properties"]
    conditions = {name: {"anyOf": [_value(name), _values(name)]} for name in fields}
    definitions["Condition"] = axis["when"] | _mapping(conditions)
    axis["when"] = {"$ref": "#/$defs/Condition"}

    lists = {"type": "array", "minItems": 1, "uniqueItems": True}
    grid = {
        name: _described(field, lists | {"items": _value(name)}) for name, field in fields.items()
    }
    sections["grid"] |= _mapping(grid)
    space = {
        name: _described(field, {"anyOf": _kinds_of_axis(name, field, axis)})
        for name, field in fields.items()
        if name not in NOT_SEARCHED
    }
    sections["space"] |= _mapping(space)
    first = definitions["SearchSettings"]["properties"]["try_first"]
    first["items"] = _mapping({name: _value(name) for name in fields})
    return schema


def _mapping(properties: Schema, **rules: object) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False} | rules


def _described(field: Schema, schema: Schema) -> Schema:
    return {"description": field["description"]} | schema


def _value(name: str) -> Schema:
    return {"$ref": f"#/$defs/TrialConfig/properties/{name}"}


def _values(name: str) -> Schema:
    return {"$ref": f"#/properties/grid/properties/{name}"}


def _kinds_of_axis(name: str, field: Schema, axis: Mapping[str, Schema]) -> list[Schema]:
    """Return the ways to write an axis: as a list, with ``choices``, and as a range.

    A range is for numbers alone, and for those of which any between its ends is allowed.

    Args:
        name: Name of the field that the axis is for.
        field: Schema of that field.
        axis: Schemas of the keys that an axis can have.
    """
    choices = {"choices": _described(axis["choices"], _values(name)), "log": {"const": False}}
    kinds = [_values(name), _mapping(choices | {"when": axis["when"]}, required=["choices"])]
    numbers = [
        {rule: limit for rule, limit in kind.items() if rule not in ("default", "description")}
        for kind in field.get("anyOf", [field])
        if kind.get("type") in ("integer", "number") and "multipleOf" not in kind
    ]
    if not numbers or isinstance(field["default"], bool | str):
        return kinds
    ends = {end: _described(axis[end], numbers[0]) for end in ("low", "high")}
    limits = ends | {key: axis[key] for key in ("log", "when")}
    return [*kinds, _mapping(limits, required=["low", "high"])]


def write_schema(schema: Schema, path: Path) -> None:
    """Write a schema as indented JSON."""
    text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tuning.config.schema FILE")
    write_schema(experiment_schema(), Path(sys.argv[1]))
