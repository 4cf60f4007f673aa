"""Write the schemas by which editors check experiments/*.yaml: python tuning/make_schema.py."""

import json
import sys

from tuning.config.schema import Schema, experiment_schema, schema_of
from tuning.pretraining.recipe import Recipe
from tuning.system.project import ROOT


def schemas() -> dict[str, Schema]:
    """Return the schemas by the names of their files."""
    return {"schema.json": experiment_schema(), "recipe.schema.json": schema_of(Recipe)}


def main() -> int:
    """Return 0 once the files are written."""
    for name, schema in schemas().items():
        text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        (ROOT / "experiments" / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
