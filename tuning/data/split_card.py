"""The options of the command that makes splits, and the card that says what it did."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.columns import Columns
from tuning.data.data_files import SPLITS
from tuning.data.division import Components
from tuning.data.pairs import PairTable

_OFF = 0.01  # difference from the asked share of pairs from which on it is told
_RULE = (
    "pairs of one group, and pairs with a text in common or nearly in common (a Jaccard index of "
    "the words of at least 0.9, without case and punctuation), are in one split"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitOptions:
    """The options of the command.

    Args:
        file: File of the pairs.
        output: Folder for the three files; it must be absent or empty.
        columns: Names of the columns.
        fractions: Share of the pairs of each split, in the order of ``SPLITS``.
        seed: Random seed.
    """

    file: Path
    output: Path
    columns: Columns
    fractions: tuple[float, ...]
    seed: int


def make_card(
    table: PairTable, components: Components, chosen: np.ndarray, options: SplitOptions
) -> dict[str, Any]:
    """Return the card: source, seed, sizes of the splits, and what was kept together."""
    sizes = components.sizes
    card: dict[str, Any] = {
        "source": options.file.name,
        "sha256": hashlib.sha256(options.file.read_bytes()).hexdigest(),
        "seed": options.seed,
        "rule": _RULE,
        "splits": {
            split: {
                "pairs": int((chosen == number).sum()),
                "share": round(float((chosen == number).mean()), 4),
                "asked": round(options.fractions[number], 4),
                "paraphrases": round(float(table.labels[chosen == number].mean()), 4),
            }
            for number, split in enumerate(SPLITS)
        },
        "kept together": {
            "components": len(sizes),
            "pairs of the largest": int(sizes.max()),
            "pairs that are tied to others": int(sizes[sizes > 1].sum()),
            "texts in more than one pair": components.repeated_texts,
            "texts nearly equal to another": components.similar_texts,
            "groups": components.groups,
            "groups that are tied to others": components.tied_groups,
        },
    }
    parts = card["splits"].values()
    too_large = sizes.max() > min(options.fractions) * len(table.lines)
    if too_large and any(abs(part["share"] - part["asked"]) > _OFF for part in parts):
        card["note"] = f"the shares are not those asked for: {describe_largest(table, components)}"
    return card


def describe_largest(table: PairTable, components: Components) -> str:
    """Return a phrase that names the largest component and its size."""
    sizes = components.sizes
    line = table.lines[int((components.of_pairs == sizes.argmax()).argmax())]
    return (
        f"of {len(sizes)} components the largest, that of line {line}, has {sizes.max()} of "
        f"{len(table.lines)} pairs"
    )
