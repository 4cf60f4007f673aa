"""The names of a data set's columns: what a ``columns.yaml`` beside the data may say."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError

from models.strict_yaml import StrictModel, describe, read_yaml
from models.table_files import DataError


class Columns(StrictModel):
    """The names of a data set's columns; a ``columns.yaml`` beside the data can change them."""

    first: str = Field("first", description="column of the first text")
    second: str = Field("second", description="column of the second text")
    label: str = Field("label", description="column of the labels; 1: paraphrase, 0: none")
    group: str | None = Field(None, description="column of what a pair is about")
    votes: str | None = Field(None, description="column of the votes for paraphrase")
    voters: int = Field(3, ge=1, description="number of annotators who voted on each pair")


def read_columns(folder: Path) -> Columns:
    """Return the names of the columns in the files of ``folder``.

    Raises:
        DataError: If its ``columns.yaml`` is wrong; the message has all problems.
    """
    path = folder / "columns.yaml"
    if not path.is_file():
        return Columns.model_validate({})
    content, problems = read_yaml(path)
    try:
        columns = Columns.model_validate(content)
    except ValidationError as error:
        problems += describe(error, list(Columns.model_fields))
    else:
        if not problems:
            return columns
    raise DataError("\n".join([f"{path}:", *(f"  - {problem}" for problem in problems)]))
