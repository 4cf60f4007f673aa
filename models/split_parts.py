"""Parts of a split, which share its tokens and states, two splits joined, splits on a device."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from models.batches import SplitArrays, States, place
from models.state_files import MappedStates
from models.tokens import TokenTable


def part_of(split: SplitArrays, pairs: np.ndarray) -> SplitArrays:
    """Return the split of some pairs, which shares tokens and states and copies neither.

    Args:
        split: A split.
        pairs: Numbers of the pairs, int (n,), in the order that they are to have.
    """
    own: dict[str, Any] = {"table": part_of_table(split.table, pairs)}
    for name in ("labels", "votes", "entities", "overlap", "cosine"):
        values = getattr(split, name)
        own[name] = None if values is None else values[pairs]
    return replace(split, **own)


def part_of_table(table: TokenTable, pairs: np.ndarray) -> TokenTable:
    """Return the table of some pairs, which has all sequences of the whole.

    Args:
        table: Token sequences.
        pairs: Numbers of the pairs, int (n,).
    """
    members = _by_order(table)[:, pairs]
    return replace(table, members=members.reshape(-1, members.shape[-1]), pairs=len(pairs))


def split_sequences(table: TokenTable, count: int) -> list[TokenTable]:
    """Return tables of the sequences in order, with about the same number of tokens each.

    Args:
        table: Token sequences.
        count: Number of tables, at least 1; fewer are returned if there are not so many sequences.
    """
    wanted = np.linspace(0, table.offsets[-1], count + 1)[1:-1]
    ends = [0, *np.searchsorted(table.offsets, wanted), len(table.offsets) - 1]
    return [
        TokenTable(
            tokens=table.tokens[table.offsets[first] : table.offsets[last]],
            segments=table.segments[table.offsets[first] : table.offsets[last]],
            offsets=table.offsets[first : last + 1] - table.offsets[first],
            pairs=int(last - first),
        )
        for first, last in itertools.pairwise(ends)
        if last > first
    ]


def in_memory(split: SplitArrays) -> SplitArrays:
    """Return the split with the states themselves where they are in a file."""
    states = split.states
    return replace(split, states=np.asarray(states)) if isinstance(states, MappedStates) else split


def place_splits(
    splits: Mapping[str, SplitArrays], device: torch.device
) -> dict[str, SplitArrays]:
    """Return splits with their states on a device, as ``place`` puts them there.

    Splits that share states share the copy. What depends on a trial (features, targets, orders)
    is not copied: a ``LoadedSplit`` makes its own of it.
    """
    placed: dict[int, States] = {}
    for split in splits.values():
        if split.states is not None and id(split.states) not in placed:
            placed[id(split.states)] = place(split.states, device)
    return {
        name: replace(split, states=placed.get(id(split.states))) for name, split in splits.items()
    }


def join(first: SplitArrays, second: SplitArrays, entities: np.ndarray) -> SplitArrays:
    """Return a split of the pairs of the first, then those of the second.

    All is copied, but not states that follow each other in a file.

    Args:
        first: A split.
        second: A split with the same features, encoded in the same way.
        entities: Codes of the entities of all pairs, int (N,), from 0.
    """
    joined: dict[str, Any] = {"table": _join_tables(first.table, second.table)}
    for name in ("labels", "votes", "overlap", "cosine"):
        parts = [getattr(split, name) for split in (first, second)]
        joined[name] = None if parts[0] is None else np.concatenate(parts)
    states = _join_states(first.states, second.states)
    return SplitArrays(entities=entities, states=states, **joined)


def _join_states(first: States | None, second: States | None) -> States | None:
    if first is None or second is None:
        return None
    if isinstance(first, MappedStates) and isinstance(second, MappedStates):
        both = first.followed_by(second)
        if both is not None:
            return both
    return np.concatenate([np.asarray(first), np.asarray(second)])


def _join_tables(first: TokenTable, second: TokenTable) -> TokenTable:
    count = len(first.offsets) - 1
    members = np.concatenate([_by_order(first), _by_order(second) + count], axis=1)
    return TokenTable(
        tokens=np.concatenate([first.tokens, second.tokens]),
        segments=np.concatenate([first.segments, second.segments]),
        offsets=np.concatenate([first.offsets, second.offsets[1:] + first.offsets[-1]]),
        pairs=first.pairs + second.pairs,
        members=members.reshape(-1, members.shape[-1]),
    )


def _by_order(table: TokenTable) -> np.ndarray:
    """Return the sequences of each row, int (orders, pairs, 1 or 2)."""
    members = np.arange(table.rows)[:, None] if table.members is None else table.members
    return members.reshape(-1, table.pairs, members.shape[-1])
