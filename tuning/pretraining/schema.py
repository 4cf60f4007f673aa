"""JSON schema of a pretraining recipe: python -m tuning.pretraining.schema FILE writes it."""

from __future__ import annotations

import sys
from pathlib import Path

from tuning.config.schema import Schema, schema_of, write_schema
from tuning.pretraining.recipe import Recipe


def recipe_schema() -> Schema:
    """Return the JSON schema of a recipe."""
    return schema_of(Recipe)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tuning.pretraining.schema FILE")
    write_schema(recipe_schema(), Path(sys.argv[1]))
