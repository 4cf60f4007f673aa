"""Guards the trainer of a phase: it learns, keeps its schedule, and resumes exactly."""

import itertools
import math
import time

import numpy as np
import pytest
import torch

from models.masked_language_model import MaskedLanguageModel, build_model
from tuning.pretraining import trainer
from tuning.pretraining.masking import PackedText, SequenceOptions, Vocabulary, split
from tuning.pretraining.recipe import DivergedError, Phase
from tuning.pretraining.trainer import MlmTrainer, mean_loss

V, T = 30, 10
SHAPE = {"layers": 1, "width": 16, "heads": 2, "inner_width": 24, "positions": 14}


def make_text(seed: int = 0) -> PackedText:
    """Return text in which a piece predicts its neighbours: each one is repeated 50 times."""
    numbers = np.arange(V)
    vocabulary = Vocabulary(
        size=V,
        start=2,
        separator=3,
        mask=4,
        special=numbers < 5,
        continues=np.zeros(V, dtype=bool),
    )
    options = SequenceOptions(
        length=T, positions=14, even_starts=True, mask_fraction=0.2, whole_words=False, seed=seed
    )
    return PackedText(5 + np.arange(6000) // 50 % (V - 5), vocabulary, options)


def make_training(
    phase: Phase, model: MaskedLanguageModel | None = None, *, ahead: bool | None = None
) -> MlmTrainer:
    return MlmTrainer(
        model or build_model(V, SHAPE, seed=0),
        make_text(),
        phase,
        precision="float32",
        device=torch.device("cpu"),
        ahead=ahead,
    )


def phase_of(**fields: object) -> Phase:
    return Phase.model_validate({"steps": 12, "batch_size": 16, "learning_rate": 0.01} | fields)


def test_training_learns_to_predict_the_text() -> None:
    training = make_training(phase_of(steps=400))
    results = list(training.run())
    assert mean_loss(results[:5]) == pytest.approx(math.log(V), abs=0.3)
    scores = training.score(make_text(seed=1), 50)
    assert scores["heldout_loss"] < 1.5
    assert scores["heldout_accuracy"] > 0.5


def test_an_interrupted_training_resumes_to_the_same_weights() -> None:
    whole = make_training(phase_of())
    losses = [result.loss for result in whole.run()]
    first = make_training(phase_of())
    begun = list(itertools.islice(first.run(), 5))
    second = make_training(phase_of(), build_model(V, SHAPE, seed=9))
    second.load_state_dict(first.state_dict())
    rest = list(second.run())
    assert [result.loss for result in [*begun, *rest]] == losses
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(weight, second.model.state_dict()[name])


@pytest.mark.parametrize("between", [1, 4, 32])
@pytest.mark.parametrize("ahead", [True, False])
def test_batches_made_ahead_and_losses_read_late_change_no_bit(
    monkeypatch: pytest.MonkeyPatch, between: int, *, ahead: bool
) -> None:
    whole = make_training(phase_of())
    expected = [(each.step, each.loss, each.done_fraction) for each in whole.run(3)]
    monkeypatch.setitem(trainer._STEPS_BETWEEN_LOOKS, "cpu", between)
    other = make_training(phase_of(), ahead=ahead)
    ends, found = [], []
    for each in other.run(3):
        ends.append(other.step)  # after the group, whose last step ends a third of the budget
        found.append((each.step, each.loss, each.done_fraction))
    assert found == expected
    assert [*dict.fromkeys(ends)] == ([*range(1, 13)] if between == 1 else [4, 8, 12])
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(weight, other.model.state_dict()[name])


def test_parts_of_a_batch_sum_to_the_gradient_of_the_whole() -> None:
    whole = make_training(phase_of())
    parts = make_training(phase_of())
    parts.part_size = 3
    one, other = (next(iter(training.run())).loss for training in (whole, parts))
    assert one == pytest.approx(other, rel=1e-5)
    for a, b in zip(whole.model.parameters(), parts.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-3)


def test_a_split_batch_keeps_every_target_with_its_sequence() -> None:
    batch = make_text().batch(3, 16)
    parts = list(split(batch, 5))
    assert [len(part.tokens) for part in parts] == [5, 5, 5, 1]
    assert all(part.chosen.sum() == len(part.targets) for part in parts)
    np.testing.assert_array_equal(np.concatenate([p.targets for p in parts]), batch.targets)


def test_the_learning_rate_rises_and_falls_linearly() -> None:
    training = make_training(phase_of(steps=10, warmup_fraction=0.2))
    rates = [training.optimizer.param_groups[0]["lr"] for _ in training.run()]
    assert rates[:2] == pytest.approx([0.001, 0.005])
    assert rates[2] == pytest.approx(0.01)
    assert np.diff(rates[2:]) == pytest.approx(-0.01 / 8)


def test_a_budget_of_time_counts_the_seconds_of_its_steps() -> None:
    training = make_training(phase_of(steps=None, minutes=10.0))
    run = training.run()
    next(run)
    training.seconds = 299.0
    assert training.done_fraction == pytest.approx(299 / 600)
    training.seconds = 600.0
    assert list(itertools.islice(run, 2)) == []


def test_a_budget_of_time_that_ends_while_losses_are_read_ends_with_the_last_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(trainer._STEPS_BETWEEN_LOOKS, "cpu", 4)
    training = make_training(phase_of(steps=None, minutes=0.002))
    read = training._read

    def wait_and_read(unread: list[trainer._Unread], first: int) -> list[float]:
        time.sleep(0.13)  # longer than the budget, as a GPU that has yet to finish the steps
        return read(unread, first)

    monkeypatch.setattr(training, "_read", wait_and_read)
    assert [*training.run(20)][-1].done_fraction == 1


def test_a_phase_of_no_steps_is_finished_at_once() -> None:
    training = make_training(phase_of(steps=0))
    assert list(training.run()) == []
    assert training.done_fraction == 1


def test_scoring_changes_nothing_and_repeats() -> None:
    training = make_training(phase_of())
    before = {name: weight.clone() for name, weight in training.model.state_dict().items()}
    first, again = (training.score(make_text(seed=1), 40) for _ in range(2))
    assert first == again
    assert all(torch.equal(before[n], w) for n, w in training.model.state_dict().items())
    assert first["heldout_loss"] == pytest.approx(math.log(V), abs=0.3)


def test_a_training_that_diverges_stops_with_the_weights_before_that_step() -> None:
    training = make_training(phase_of())
    next(training.run())
    kept = {name: weight.clone() for name, weight in training.model.state_dict().items()}
    hook = next(training.model.parameters()).register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(DivergedError, match=r"step 2: the gradient must be finite.*lower learn"):
        list(training.run())
    hook.remove()
    for name, weight in training.model.state_dict().items():
        assert torch.equal(weight, kept[name])


def test_a_divergence_between_two_looks_is_named_by_its_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(trainer._STEPS_BETWEEN_LOOKS, "cpu", 8)
    training, passes = make_training(phase_of()), itertools.count(1)
    weight = next(training.model.parameters())
    weight.register_hook(lambda gradient: gradient * (math.inf if next(passes) == 3 else 1))
    with pytest.raises(DivergedError, match="step 3: the gradient must be finite"):
        list(training.run())
