"""Division of pairs into splits: what belongs together stays together, labels are balanced.

Shapes: N pairs, K components, S splits, 2 labels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tuning.data.near_duplicates import near_duplicates
from tuning.data.pairs import PairTable


@dataclass(frozen=True, kw_only=True, slots=True)
class Components:
    """What belongs together: pairs of one group, and pairs with equal or nearly equal texts.

    Attributes:
        of_pairs: Component of each pair, int (N,), from 0.
        repeated_texts: Number of texts that stand in more than one pair.
        similar_texts: Number of texts that are nearly equal to another.
        groups: Number of groups.
        tied_groups: Number of groups that share a component with another.
    """

    of_pairs: np.ndarray
    repeated_texts: int
    similar_texts: int
    groups: int
    tied_groups: int

    @property
    def sizes(self) -> np.ndarray:
        """Return the number of pairs of each component, int (K,)."""
        return np.bincount(self.of_pairs)


def find_components(table: PairTable) -> Components:
    """Return what belongs together among the pairs of a table."""
    pairs = len(table.labels)
    texts = {text: code for code, text in enumerate(dict.fromkeys(table.first + table.second))}
    groups = {name: code for code, name in enumerate(dict.fromkeys(table.groups)) if name}
    rows = range(pairs)
    edges = [(row, pairs + texts[text]) for row, text in zip(rows, table.first, strict=True)]
    edges += [(row, pairs + texts[text]) for row, text in zip(rows, table.second, strict=True)]
    similar = [(pairs + a, pairs + b) for a, b in near_duplicates(list(texts))]
    start = pairs + len(texts)
    edges += [
        (row, start + groups[name]) for row, name in zip(rows, table.groups, strict=True) if name
    ]
    found = _connect(edges + similar, start + len(table.groups))
    of_pairs = np.unique(found[:pairs], return_inverse=True)[1]
    of_groups = Counter(found[start + code] for code in groups.values())
    uses = Counter(text for pair in zip(table.first, table.second) for text in set(pair))  # noqa: B905 - of one length
    return Components(
        of_pairs=of_pairs,
        repeated_texts=sum(count > 1 for count in uses.values()),
        similar_texts=len({text for edge in similar for text in edge}),
        groups=len(groups),
        tied_groups=sum(count for count in of_groups.values() if count > 1),
    )


def _connect(edges: Sequence[tuple[int, int]], nodes: int) -> np.ndarray:
    """Return the component of each node, int (nodes,)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    start, end = np.array(edges).T
    graph = coo_array((np.ones(len(edges), dtype=np.int8), (start, end)), shape=(nodes, nodes))
    return connected_components(graph, directed=False)[1]


def divide(
    components: np.ndarray,
    labels: np.ndarray,
    fractions: Sequence[float],
    seed: int | Sequence[int],
) -> np.ndarray:
    """Return the split of each pair, int (N,): whole components, sizes and labels as asked.

    The largest components come first, equally large ones in random order; each goes where both
    labels stay nearest to their share, by the sum of (found - asked)^2 / asked.

    Args:
        components: Component of each pair, int (N,), from 0.
        labels: Labels, 0 or 1, int (N,); both occur.
        fractions: Share of the pairs of each split, above 0; S numbers that sum to 1.
        seed: Random seed, or several.
    """
    counts = np.zeros((components.max() + 1, 2))
    np.add.at(counts, (components, labels), 1)
    order = np.random.default_rng(seed).permutation(len(counts))
    order = order[np.argsort(-counts.sum(axis=1)[order], kind="stable")]
    asked = np.outer(fractions, counts.sum(axis=0))  # (S, 2)
    missing = asked.copy()
    chosen = np.empty(len(counts), dtype=np.int64)
    for component in order:
        added = counts[component]
        growth = (added * (added - 2 * missing) / asked).sum(axis=1)  # of that sum, (S,)
        chosen[component] = growth.argmin()
        missing[chosen[component]] -= added
    return chosen[components]


def draw_folds(
    components: np.ndarray, labels: np.ndarray, folds: int, seed: Sequence[int]
) -> np.ndarray:
    """Return the fold of each pair, int (N,): whole components, with equal sizes and labels.

    Args:
        components: Component of each pair, int (N,), from 0.
        labels: Labels, 0 or 1, int (N,); both occur.
        folds: Number of folds.
        seed: Random seeds; others give another division.

    Raises:
        ValueError: If a fold would not have both labels.
    """
    chosen = divide(components, labels, [1 / folds] * folds, seed)
    counts = np.zeros((folds, 2), dtype=np.int64)
    np.add.at(counts, (chosen, labels), 1)
    if not counts.all():
        raise ValueError(
            f"validation.folds: of {folds} folds one would lack a label: the {len(labels)} pairs "
            f"of train and validation, {labels.sum()} of them paraphrases, are "
            f"{components.max() + 1} groups that stay together; ask for fewer folds"
        )
    return chosen


def fold_components(train: PairTable, validation: PairTable, folds: int) -> np.ndarray:
    """Return what stays together of the pairs of train, then of validation, int (N,).

    That is a group; where not every pair has one, also pairs with an equal or nearly equal text.

    Raises:
        ValueError: If there are too few pairs for the folds.
    """
    labels = np.concatenate([train.labels, validation.labels])
    groups = train.groups + validation.groups
    if all(groups):
        components = np.unique(groups, return_inverse=True)[1]
    else:
        first, second = train.first + validation.first, train.second + validation.second
        both = replace(train, first=first, second=second, labels=labels, groups=groups)
        components = find_components(both).of_pairs
    draw_folds(components, labels, folds, [0, 0])
    return components
