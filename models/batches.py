"""Padded batches of rows of similar length, gathered from the flat arrays of a split.

Shapes: N pairs, B rows in the batch, T tokens of its longest row, S tokens of all rows, D encoder
width, F features of a pair.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from models.segments import AS_SECOND
from models.state_files import SHARE, MappedStates, OpenStates
from models.tokens import TokenTable

States = np.ndarray | Tensor | MappedStates
Made = TypeVar("Made")
_AHEAD = 16  # batches whose rows the disk looks for while others are trained
_POOL = 32  # batches whose rows are sorted together: little padding, still well mixed


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitArrays:
    """The arrays of a split that all trials share.

    Attributes:
        table: Token sequences.
        states: Cached states of the frozen layers, float (S, D), or None; in a file, or a tensor
            where several splits share them on a device.
        labels: Classes, 0 or 1, int (N,).
        votes: Share of the annotators who called each pair a paraphrase, float (N,) in [0, 1], NaN
            where unknown.
        entities: Codes of the pairs' entities, int (N,), from 0.
        overlap: Overlap features of the pairs, float (N, F), or None if no trial uses them.
        cosine: Cosine of both texts of the pairs, float (N, 1), or None if no trial uses it.
    """

    table: TokenTable
    states: States | None
    labels: np.ndarray
    votes: np.ndarray
    entities: np.ndarray
    overlap: np.ndarray | None = None
    cosine: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Rows of a split, padded to one length.

    Attributes:
        rows: Indices of the rows in the token table, int (B,).
        inputs: Token ids, int (B, T), or states, float (B, T, D).
        segments: Kinds of position from ``models.segments``, int (B, T).
        lengths: Numbers of tokens of the rows, int64 (B,); on the CPU, so that nobody waits.
        features: Features of the rows' pairs, float (B, F), or None.
    """

    rows: Tensor
    inputs: Tensor
    segments: Tensor
    lengths: Tensor
    features: Tensor | None = None


class RowReader:
    """Gathers padded batches from the flat arrays of one split.

    States that would take more than a share of a GPU's free memory stay where they are: batches
    are gathered there, and uploaded, while the GPU works on those before.

    Args:
        table: Token sequences.
        states: Cached states of their tokens, float (S, D), or None to read token ids.
        device: Device on which batches are made, to which the arrays are copied once.
        features: Features of the pairs, float (N, F), or None.
        multiple: Number to a multiple of which batches are padded, up to the longest row.
    """

    def __init__(
        self,
        table: TokenTable,
        states: States | None,
        device: torch.device,
        features: np.ndarray | None = None,
        *,
        multiple: int = 1,
    ) -> None:
        placed = as_tensor(table.tokens).to(device) if states is None else place(states, device)
        self._opened = OpenStates(placed) if isinstance(placed, MappedStates) else None
        self._flat = as_tensor(placed if self._opened is None else self._opened.array)
        self.pairs = table.pairs
        self.lengths = table.lengths
        self._multiple, self.device, here = multiple, device, self._flat.device
        self._segments = as_tensor(table.segments).to(here)
        offsets = as_tensor(table.offsets).to(here)
        self._bounds = torch.stack([offsets[:-1], offsets[1:]], dim=1)  # (sequences, 2)
        members = None if table.members is None else as_tensor(table.members).to(here)
        if members is not None and members.shape[1] == 1:
            self._bounds, members = self._bounds[members[:, 0]], None  # (rows, 2)
        self._members = members
        self._as_second = torch.tensor(AS_SECOND, dtype=torch.uint8, device=here)
        self._steps = torch.arange(int(self.lengths.max(initial=0)), device=here)
        self._features = None if features is None else as_tensor(features).float().to(here)

    def read(self, rows: np.ndarray) -> Batch:
        """Return the batch of these rows; states are converted to float32.

        Args:
            rows: Indices of rows in the token table, int (B,).
        """
        return next(self.read_each([rows]))

    def read_each(self, batches: Sequence[np.ndarray]) -> Iterator[Batch]:
        """Yield the batch of each group of rows, as ``read`` returns it.

        The indices of all rows are copied to the device at once, so that a GPU never waits.

        Args:
            batches: Indices of the rows of each batch, int (B,); at least one batch.
        """
        found = self._gather_each(batches)
        return found if self._flat.device.type == self.device.type else made_ahead(found)

    def _gather_each(self, batches: Sequence[np.ndarray]) -> Iterator[Batch]:
        uploaded = torch.from_numpy(np.concatenate(batches)).to(self._flat.device)
        parts = uploaded.split([*map(len, batches)])
        self._ask(uploaded[: sum(map(len, batches[:_AHEAD]))])
        for number, (rows, chosen) in enumerate(zip(batches, parts, strict=True)):
            if number + _AHEAD < len(parts):
                self._ask(parts[number + _AHEAD])
            yield self._gather(chosen, torch.from_numpy(self.lengths[rows]).long())

    def _ask(self, chosen: Tensor) -> None:
        """Begin to read the chosen rows from the disk, if states are read ahead."""
        if self._opened is not None and self._opened.ahead:
            sequences = chosen if self._members is None else self._members[chosen]
            self._opened.ask(self._bounds[sequences].view(-1, 2).numpy())

    def padded(self, lengths: np.ndarray | Tensor) -> int:
        """Return the tokens of a padded batch whose rows have so many without padding."""
        rounded = -(-int(lengths.max()) // self._multiple) * self._multiple
        return min(rounded, len(self._steps))

    def _gather(self, chosen: Tensor, lengths: Tensor) -> Batch:
        """Return the batch of the chosen rows (B,), which have so many tokens (B,)."""
        positions, second, real = self._positions(chosen, self._steps[: self.padded(lengths)])
        positions = positions * real  # any token serves as padding: the segments mask it
        inputs = self._flat[positions].to(self.device)  # (B, T) or (B, T, D)
        kinds = self._segments[positions]
        if second is not None:
            kinds = torch.where(second, self._as_second[kinds.long()], kinds)
        features = None if self._features is None else self._features[chosen % self.pairs]
        return Batch(
            rows=chosen.to(self.device),
            inputs=inputs.float() if inputs.is_floating_point() else inputs.long(),
            segments=(kinds * real).long().to(self.device),  # PADDING is 0
            lengths=lengths,
            features=None if features is None else features.to(self.device),
        )

    def _positions(self, chosen: Tensor, steps: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        """Return where the rows' tokens stand in the flat arrays, (B, T), with two masks of it.

        The masks are true on tokens of a second sequence (None where a row is one sequence) and
        on tokens that a row has; the others have any position.
        """
        if self._members is None:
            starts, ends = self._bounds[chosen].split(1, dim=1)  # (B, 1)
            positions = starts + steps
            return positions, None, positions < ends
        spans = self._bounds[self._members[chosen]]  # (B, 2, 2)
        starts, (first, both) = spans[..., 0], (spans[..., 1] - spans[..., 0]).cumsum(1).T
        second = steps >= first[:, None]  # (B, T)
        begins = torch.where(second, (starts[:, 1] - first)[:, None], starts[:, :1])
        return begins + steps, second, steps < both[:, None]


def place(states: States, device: torch.device) -> States:
    """Return states on a device, or as they are on a CPU or where they would fill a GPU.

    Args:
        states: States, float (S, D).
        device: Device that is to read them.
    """
    if device.type == "cpu" or states.nbytes > SHARE * torch.cuda.mem_get_info(device)[0]:
        return states
    return as_tensor(states).to(device)


def made_ahead(batches: Iterator[Made]) -> Iterator[Made]:
    """Yield batches of which a thread makes the next while one is used."""
    with ThreadPoolExecutor(1) as aside:
        coming = aside.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = aside.submit(next, batches, None)
            yield batch


def as_tensor(array: States) -> Tensor:
    """Return a tensor on the array's own memory, which may be read-only: never write to it."""
    if isinstance(array, Tensor):
        return array
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(np.asarray(array))


def sorted_batches(lengths: np.ndarray, tokens: int) -> Iterator[np.ndarray]:
    """Yield the indices of all rows in batches, the longest rows first.

    Args:
        lengths: Numbers of tokens of the rows, int (rows,).
        tokens: Largest number of tokens of a padded batch of more than one row.
    """
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        size = max(1, tokens // int(lengths[order[start]]))
        yield order[start : start + size]
        start += size


def shuffled_batches(
    rows: np.ndarray, lengths: np.ndarray, size: int, generator: np.random.Generator
) -> Iterator[np.ndarray]:
    """Yield the given rows in random batches of rows of similar length.

    Args:
        rows: Indices of the rows, int (N,).
        lengths: Numbers of tokens of all rows of the table, int.
        size: Number of rows in a batch; one batch may have fewer.
        generator: Source of the random order.
    """
    rows = generator.permutation(rows)
    pools = [rows[i : i + size * _POOL] for i in range(0, len(rows), size * _POOL)]
    batches = []
    for pool in pools:
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[i : i + size] for i in range(0, len(pool), size)]
    for position in generator.permutation(len(batches)):
        yield batches[position]
