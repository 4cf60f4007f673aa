"""Checks of a data set's splits before the first trial: what two of them share, and balance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Set

from tuning.data.pairs import PairData, PairTable

_FEW_TEXTS = 0.01  # share of all texts below which texts in two splits can hardly move a score
_RARE = 0.2  # share of a class from which on it is named


def describe_shared(data: PairData) -> str | None:
    """Return a sentence on the groups, pairs and texts that stand in more than one split, or None.

    Pairs are the same in either order. Texts alone are told of if they are at least 1 % of all.
    """
    tables = data.splits.values()
    groups, _ = _count_shared(set(table.groups) - {""} for table in tables)
    pairs, _ = _count_shared(set(_unordered(table)) for table in tables)
    texts, different = _count_shared({*table.first, *table.second} for table in tables)
    counts = {"group": groups, "pair": pairs}
    if groups or pairs or texts >= _FEW_TEXTS * different:
        counts["text"] = texts
    named = [_counted(count, name) for name, count in counts.items() if count]
    if not named:
        return None
    stand = "stands" if sum(counts.values()) == 1 else "stand"
    return (
        f"{_listed(named)} {stand} in more than one split, so scores may be too high; "
        "python -m tuning.data.split makes splits that share none"
    )


def _count_shared(splits: Iterable[Set[Hashable]]) -> tuple[int, int]:
    """Return how many elements are in more than one of the sets, and how many there are."""
    counts = Counter(element for split in splits for element in split)
    return sum(count > 1 for count in counts.values()), len(counts)


def _unordered(table: PairTable) -> Iterator[tuple[str, str]]:
    for first, second in zip(table.first, table.second, strict=True):
        yield (first, second) if first <= second else (second, first)


def _counted(count: int, name: str) -> str:
    return f"{count} {name}" if count == 1 else f"{count} {name}s"


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def describe_balance(data: PairData, *, weighted: bool) -> str | None:
    """Return a sentence on the share of paraphrases if one class is rare in a split, or None.

    Args:
        data: Pairs of all splits.
        weighted: Whether a trial weights the classes, so that there is no need to say how.
    """
    shares = {split: float(table.labels.mean()) for split, table in data.splits.items()}
    if all(_RARE <= share <= 1 - _RARE for share in shares.values()):
        return None
    text = _listed([f"{100 * share:.1f} % of {split}" for split, share in shares.items()])
    way_out = "" if weighted else "; --set class_weight=balanced lets both classes count alike"
    return f"paraphrases are {text}{way_out}"
