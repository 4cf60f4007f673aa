"""Guards the optimizers without torch's compiler: they compute and keep what torch's own do."""

import pytest
import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from models import optimizers

PAIRS = [
    (optimizers.AdamW, torch.optim.AdamW, {}),
    (optimizers.SGD, torch.optim.SGD, {"momentum": 0.9}),
]
NAMES = [kind.__name__ for kind, *_ in PAIRS]


def trained(
    kind: type[Optimizer], choices: dict[str, float], start: torch.Tensor, state: object = None
) -> tuple[torch.Tensor, dict[str, object]]:
    """Return a weight after three steps down a bowl at a falling rate, and the state then."""
    weight = torch.nn.Parameter(start.clone())
    optimizer = kind([{"params": [weight], "lr": 0.1}], weight_decay=0.01, fused=True, **choices)  # pyright: ignore[reportCallIssue] - both kinds take these
    schedule = LambdaLR(optimizer, lambda step: 1 / (1 + step))
    if state is not None:
        optimizer.load_state_dict(state)  # pyright: ignore[reportArgumentType]
    for _ in range(3):
        optimizer.zero_grad()
        (weight**4).sum().backward()
        optimizer.step()
        schedule.step()
    return weight.detach(), optimizer.state_dict()


@pytest.mark.parametrize(("kind", "theirs", "choices"), PAIRS, ids=NAMES)
def test_steps_and_states_are_torchs_own(
    kind: type[Optimizer], theirs: type[Optimizer], choices: dict[str, float]
) -> None:
    start = torch.tensor([1.0, -2.0, 0.5])
    weight, state = trained(kind, choices, start)
    expected, their_state = trained(theirs, choices, start)
    assert torch.equal(weight, expected)
    assert not torch.equal(weight, start)
    assert state.keys() == their_state.keys()
    after, _ = trained(kind, choices, weight, their_state)  # each goes on from the other's state
    expected, _ = trained(theirs, choices, expected, state)
    assert torch.equal(after, expected)
