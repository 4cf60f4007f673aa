"""The columns of a data set's files: what a ``columns.yaml`` beside the data may say."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from models.delimited_rows import SEPARATORS, Quoting, advise_separator
from models.strict_yaml import StrictModel, describe, read_yaml
from models.table_files import DataError
from models.text_lines import shown, unreadable

NAME = "columns.yaml"
_OTHER_NAME = re.compile(r"columns?\.ya?ml(\.txt)?", re.IGNORECASE)
_ROLES = ("first", "second", "label", "group", "votes")


class Columns(StrictModel):
    """The names of a data set's columns; a ``columns.yaml`` beside the data can change them."""

    first: str = Field("first", min_length=1, description="column of the first text")
    second: str = Field("second", min_length=1, description="column of the second text")
    label: str = Field(
        "label", min_length=1, description="column of the labels; 1: paraphrase, 0: none"
    )
    group: str | None = Field(None, min_length=1, description="column of what a pair is about")
    votes: str | None = Field(None, min_length=1, description="column of the votes for paraphrase")
    voters: int = Field(3, ge=1, description="number of annotators who voted on each pair")
    labels: dict[Literal[1, 0], list[str]] | None = Field(
        None, description="words in the column of the labels that mean 1 and 0"
    )
    quoting: Quoting | None = Field(
        None, description="quotation marks around cells of a text file: none, or minimal"
    )
    separator: Literal["\t", ",", ";", "|"] | None = Field(
        None, description="character between the cells of a text file"
    )

    @field_validator("separator", mode="before")
    @classmethod
    def _known_separator(cls, separator: object) -> object:
        if separator is None or (isinstance(separator, str) and separator in SEPARATORS):
            return separator
        raise ValueError(f"must be one of {', '.join(SEPARATORS.values())}, got {separator!r}")

    @field_validator("labels")
    @classmethod
    def _two_kinds(cls, labels: dict[int, list[str]] | None) -> dict[int, list[str]] | None:
        if labels is None:
            return labels
        if not labels.get(1) or not labels.get(0):
            raise ValueError("must have words for both 1 and 0")
        both = set(labels[1]) & set(labels[0])
        if both:
            raise ValueError(f"must not have a word for both 1 and 0, got {sorted(both)}")
        return labels

    @model_validator(mode="after")
    def _one_role_each(self) -> Columns:
        names = [name for role in _ROLES if (name := getattr(self, role)) is not None]
        if len(set(names)) < len(names):
            raise ValueError(f"must name a column of its own for each key, got {names}")
        return self

    def roles(self, wanted: Iterable[str] = _ROLES) -> dict[str, str]:
        """Return the names of the columns by these roles, of those that are known."""
        names = {role: getattr(self, role) for role in wanted}
        return {role: name for role, name in names.items() if name is not None}


def read_columns(folder: Path) -> Columns:
    """Return what the ``columns.yaml`` of a folder says about its files.

    Raises:
        DataError: If it is wrong or has another name; the message has all problems.
    """
    path = folder / NAME
    if not (path.is_symlink() or path.exists()):
        _refuse_other_names(folder)
        return Columns.model_validate({})
    try:
        content, problems = read_yaml(path)
    except OSError as error:
        raise DataError(f"{path}: {unreadable(error)}") from error
    try:
        columns = Columns.model_validate({} if content is None else content)
    except ValidationError as error:
        problems += describe(error, content, list(Columns.model_fields))
    else:
        if not problems:
            return columns
    raise DataError("\n".join([f"{path}:", *(f"  - {problem}" for problem in problems)]))


def _refuse_other_names(folder: Path) -> None:
    for path in folder.glob("*"):
        if _OTHER_NAME.fullmatch(path.name):
            raise DataError(f"{path}: must be named {NAME}")


def find_columns(path: Path, header: list[str], roles: dict[str, str]) -> dict[str, int]:
    """Return the position of each role's column in the header of a file.

    Args:
        path: File or folder that the header was read from.
        header: Names of the columns.
        roles: Name of the column by role.

    Raises:
        DataError: If a column is absent; the message has the header and the way out.
    """
    absent = [name for name in roles.values() if name not in header]
    if not absent:
        return {role: header.index(name) for role, name in roles.items()}
    if not any(header):
        raise DataError(f"{path}: is empty or begins blank; line 1 must name the columns")
    role = next(role for role, name in roles.items() if name in absent)
    way_out = f"{path.parent / NAME} can name others, in lines as {role + ': COLUMN'!r}"
    if header[0].lower().startswith("sep="):
        way_out = "remove this line, which only Excel reads"
    elif len(header) == 1:
        for separator in SEPARATORS:
            if separator in header[0]:
                way_out = advise_separator(path, separator)
    names = ", ".join(map(shown, header))
    raise DataError(
        f"{path}: line 1: no column {', '.join(map(repr, absent))}, got {names}; {way_out}"
    )
