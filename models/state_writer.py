"""A writer of states from a device into one array on the host, beside what computes them.

Shapes: S tokens of all rows, B rows in a batch, T tokens of its longest row, D encoder width.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.tokens import TokenTable

_THREADS = 4  # one fills new pages of memory more slowly than a GPU computes what goes there
_BUFFERS = 2  # one is filled from the device while the other is written


@dataclass(frozen=True, kw_only=True, slots=True)
class _Block:
    """States on their way: where they are on the device and on the host, and who writes them."""

    states: Tensor
    buffer: Tensor
    written: list[Future[None]]


class StateWriter(AbstractContextManager["StateWriter"]):
    """Writes the states of each row to the place of its tokens; all are there after the context.

    From a GPU a batch is copied into page-locked memory on a stream of its own and written from
    there by threads, while the next batches are computed. On a CPU, which has no cores to spare,
    it is written at once.

    Args:
        table: Token sequences of the rows.
        device: Device of the states.
        states: Array to write to, float (S, D); by default one of the states' type is made.
        beside: Whether threads write; by default on a GPU.
    """

    def __init__(
        self,
        table: TokenTable,
        device: torch.device,
        *,
        states: np.ndarray | None = None,
        beside: bool | None = None,
    ) -> None:
        self.states = states
        self._offsets, self._gpu = table.offsets, device.type == "cuda"
        self._threads = None
        if self._gpu if beside is None else beside:
            self._threads = ThreadPoolExecutor(_THREADS)
        self._stream = torch.cuda.Stream(device) if self._gpu else None
        self._free: list[Tensor] = []
        self._blocks: deque[_Block] = deque()

    def __exit__(self, *error: object) -> None:
        """Wait until everything is written.

        Raises:
            Exception: What ended a thread, unless the context ends with an error of its own.
        """
        if self._threads is not None:
            self._threads.shutdown()
        while self._blocks and error[0] is None:
            self._finish_oldest()

    def write(self, rows: np.ndarray, states: Tensor) -> None:
        """Write the states of a batch, or begin to.

        Args:
            rows: Indices of rows in the table, int (B,).
            states: States, float (B, T, D); those after a row's own tokens are left out.
        """
        if self.states is None:
            kind = torch.empty(0, dtype=states.dtype).numpy().dtype
            self.states = np.empty((int(self._offsets[-1]), states.shape[-1]), dtype=kind)
        if self._threads is None:
            self._place(rows, states.numpy(), None)
            return
        if len(self._blocks) == _BUFFERS:
            self._finish_oldest()
        buffer = self._buffer_of(states)
        on_host = buffer[: states.numel()].view(states.shape)
        copied = self._copy(states, on_host)
        parts = zip(
            np.array_split(rows, _THREADS), np.array_split(on_host.numpy(), _THREADS), strict=True
        )
        written = [self._threads.submit(self._place, *part, copied) for part in parts]
        self._blocks.append(_Block(states=states, buffer=buffer, written=written))

    def _finish_oldest(self) -> None:
        block = self._blocks.popleft()
        for part in block.written:
            part.result()
        self._free.append(block.buffer)

    def _buffer_of(self, states: Tensor) -> Tensor:
        """Return a flat buffer on the host that is free and large enough."""
        free = self._free.pop() if self._free else None
        if free is not None and free.numel() >= states.numel():
            return free
        return torch.empty(states.numel(), dtype=states.dtype, pin_memory=self._gpu)

    def _copy(self, states: Tensor, on_host: Tensor) -> torch.cuda.Event | None:
        """Begin the copy to the host; return an event at its end, or None if it is done."""
        if self._stream is None:
            on_host.copy_(states)
            return None
        self._stream.wait_stream(torch.cuda.current_stream(states.device))
        with torch.cuda.stream(self._stream):
            on_host.copy_(states, non_blocking=True)
            copied = torch.cuda.Event()
            copied.record()
        return copied

    def _place(
        self, rows: np.ndarray, states: np.ndarray, copied: torch.cuda.Event | None
    ) -> None:
        assert self.states is not None, "it was made by write"
        if copied is not None:
            copied.synchronize()
        for row, own in zip(rows, states, strict=True):
            start, end = self._offsets[row], self._offsets[row + 1]
            self.states[start:end] = own[: end - start]
