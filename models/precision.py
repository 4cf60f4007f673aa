"""The precision of the frozen layers' pass on this machine."""

from __future__ import annotations

import torch


def choose_precision(wanted: str) -> str:
    """Return ``bfloat16`` or ``float32``; ``auto`` asks whether the machine multiplies bfloat16.

    Without such instructions a CPU emulates them and is slower than in float32.
    """
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:  # torch has no public name for these two questions
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bfloat16" if native else "float32"
