"""What was asked for before and is asked for now, side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as they come back from JSON, which knows no tuples."""
    return json.loads(json.dumps(values, default=str))


def differences(known: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """Yield a phrase for each value that is not the same, of mappings in it by key."""
    for part in sorted({*known, *wanted}):
        one, other = known.get(part), wanted.get(part)
        if isinstance(one, dict) and isinstance(other, dict):
            for phrase in differences(one, other):
                yield f"{part}.{phrase}"
        elif one != other:
            yield f"{part} was {one}, is now {other}"
