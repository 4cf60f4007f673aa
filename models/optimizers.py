"""AdamW and SGD as torch has them, but without its compiler, whose import takes over a second.

Torch marks some methods of an optimizer as not to be compiled, and imports the compiler at the
first call to do so. Nothing here is compiled, so these classes have the methods as written.
"""

from __future__ import annotations

import inspect
from typing import TypeVar, cast

import torch
from torch.optim import Optimizer

Kind = TypeVar("Kind", bound=Optimizer)
_MARKED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


def _without_compiler(kind: type[Kind]) -> type[Kind]:
    """Return a class that computes what ``kind`` does."""
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in _MARKED}
    step = torch.no_grad()(inspect.unwrap(kind.step))
    return cast("type[Kind]", type(kind.__name__, (kind,), {**methods, "step": step}))


AdamW = _without_compiler(torch.optim.AdamW)
SGD = _without_compiler(torch.optim.SGD)
