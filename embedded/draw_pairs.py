"""Draw the embedded pairs from their definitions: python embedded/draw_pairs.py [FOLDER].

FOLDER, by default ``embedded/pairs``, gets ``train.tsv``, ``validation.tsv`` and ``test.tsv``;
equal bytes come out each time.
"""

from __future__ import annotations

import json
import random
import sys
from itertools import chain, combinations, product
from pathlib import Path

PAIRS = Path(__file__).resolve().parent / "pairs"
SAME_TERM, OTHER_TERMS = 4, 4  # pairs of a term that are no paraphrases, of either kind
_SEED = 0

Row = tuple[str, str, str, int]  # term, two definitions, label


def read_definitions() -> dict[str, dict[str, list[list[str]]]]:
    """Return for each split, by term, two lists of definitions: those of either aspect."""
    splits: dict[str, dict[str, list[list[str]]]] = {}
    for line in (PAIRS / "definitions.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        aspects = splits.setdefault(entry["split"], {}).setdefault(entry["term"], [[], []])
        aspects["ab".index(entry["aspect"])].append(entry["definition"])
    return splits


def draw(terms: dict[str, list[list[str]]], chance: random.Random) -> list[Row]:
    """Return the pairs of a split in random order.

    Each term gets the pairs of definitions that state the same aspect (label 1), some that state
    its two aspects, and some with a definition of another term of the split (label 0). No two
    definitions meet twice. Each stands in a pair of two aspects once or twice.
    """
    rows: list[Row] = []
    for term, (some, others) in terms.items():
        for aspect in (some, others):
            rows += [(term, *pair, 1) for pair in combinations(aspect, 2)]
        rows += [(term, *pair, 0) for pair in _two_aspects(some, others, chance)]
        elsewhere = [text for name in terms if name != term for text in chain(*terms[name])]
        for own in chance.sample([*some, *others], OTHER_TERMS):
            used = {other for _, *pair, _ in rows if own in pair for other in pair}
            other = chance.choice([text for text in elsewhere if text not in used])
            rows.append((term, own, other, 0))
    chance.shuffle(rows)
    return [_swapped(row) if chance.random() < 0.5 else row for row in rows]


def _two_aspects(
    some: list[str], others: list[str], chance: random.Random
) -> list[tuple[str, str]]:
    """Return ``SAME_TERM`` different pairs across the aspects, that use each definition."""
    matched = list(zip(some, chance.sample(others, len(others)), strict=True))
    left = [pair for pair in product(some, others) if pair not in matched]
    return [*matched, *chance.sample(left, SAME_TERM - len(matched))]


def _swapped(row: Row) -> Row:
    term, first, second, label = row
    return term, second, first, label


def main() -> int:
    """Write the three files and return 0."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else PAIRS
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(_SEED)
    for split, terms in read_definitions().items():
        lines = ["term\tfirst\tsecond\tlabel"]
        lines += ["\t".join(map(str, row)) for row in draw(terms, chance)]
        (folder / f"{split}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
