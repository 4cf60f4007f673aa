"""The number formats of an encoder's layers, and the choice by what a machine does in each.

No torch is imported here: a plan shows both without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

FLOAT32, BFLOAT16, FLOAT16 = "float32", "bfloat16", "float16"
_CLEARLY = 1.1  # bfloat16 rounds more: it must be faster by this factor to be worth it


@dataclass(frozen=True, slots=True)
class Precision:
    """The number formats that the layers of an encoder multiply in, by torch's names of types.

    Attributes:
        frozen: Format of the frozen layers.
        trained: Format of the trained layers.
    """

    frozen: str
    trained: str

    def __str__(self) -> str:
        """Return the text that logs and cards hold: one name if both are the same."""
        if self.frozen == self.trained:
            return self.frozen
        return f"{self.frozen} frozen, {self.trained} trained"


_BY_TEXT = {
    str(precision): precision
    for frozen in (FLOAT32, BFLOAT16)
    for precision in (Precision(frozen, FLOAT32), Precision(frozen, BFLOAT16))
}
_OF_OLDER_GPUS = Precision(FLOAT16, FLOAT32)
_BY_TEXT[str(_OF_OLDER_GPUS)] = _OF_OLDER_GPUS


def read_precision(text: str) -> Precision:
    """Return the precision that ``str`` wrote; a single name stands for both kinds of layers.

    Raises:
        ValueError: If the text is no such name.
    """
    if text not in _BY_TEXT:
        raise ValueError(f"precision: must be one of {'; '.join(_BY_TEXT)}, got {text!r}")
    return _BY_TEXT[text]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """Operations per second that a machine's cores reach in an encoder's layer, by number format.

    Only the operations of matrix products are counted; the time is that of the whole layer.

    Attributes:
        frozen: Rates of the forward pass on all cores.
        trained: Rates of forward and backward pass on one core.
    """

    frozen: Mapping[str, float]
    trained: Mapping[str, float]

    def choose(self) -> Precision:
        """Return the precision to compute in: bfloat16 where it is clearly faster."""
        return Precision(_faster(self.frozen), _faster(self.trained))


def _faster(rates: Mapping[str, float]) -> str:
    return BFLOAT16 if rates[BFLOAT16] > _CLEARLY * rates[FLOAT32] else FLOAT32
