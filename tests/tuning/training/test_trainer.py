"""Guards training: it learns, repeats for the same seed, resumes, and ends if it diverges."""

import io
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.batches import SplitArrays
from models.classifier import Classifier, to_probabilities
from models.dropout import Dropout
from models.encoder import load_encoder
from models.heads import build_head
from models.tokens import Encoding, SpecialTokens, TokenTable, build_table
from tuning.config.experiment import TrialConfig
from tuning.training import epoch
from tuning.training.builders import build_branch
from tuning.training.epoch import batch_loss
from tuning.training.evaluation import predict
from tuning.training.inputs import LoadedSplit
from tuning.training.pair_features import add_cosines
from tuning.training.trainer import EpochResult, Trainer, fit

CPU = torch.device("cpu")
PAIRS = 60
SPECIAL_TOKENS = SpecialTokens(before=(2,), between=(3,), after=(3,))


def config(**changes: Any) -> TrialConfig:  # noqa: ANN401 - values of any field
    base = {"head_width": 8, "batch_size": 7, "epochs": 3, "learning_rate": 0.01, "dropout": 0.0}
    together = {"encoding": "pair", "cosine_feature": False}  # as the toy pairs are, unless asked
    return TrialConfig.model_validate({**base, **together, **changes})


def toy(seed: int, encoding: Encoding = "pair") -> SplitArrays:
    """Return pairs in both orders that are paraphrases if they share all words."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, PAIRS)
    words = generator.integers(4, 26, (PAIRS, 3))
    others = np.where(labels[:, None] == 1, words, generator.integers(26, 49, (PAIRS, 3)))
    texts = words.tolist(), others.tolist()
    rows = [*zip(*texts, strict=True), *zip(*reversed(texts), strict=True)]
    table = build_table(rows, SPECIAL_TOKENS, PAIRS, encoding)
    vectors = np.random.default_rng(9).normal(size=(49, 12)).astype(np.float32)  # one per word
    return SplitArrays(
        table=table,
        states=vectors[table.tokens],
        labels=labels,
        votes=np.where(labels == 1, 2 / 3, 1 / 3).astype(np.float32),
        entities=np.arange(PAIRS) // 2,
    )


def arrays_of(trial: TrialConfig, seed: int) -> SplitArrays:
    """Return the toy pairs with all that a trial needs."""
    arrays = toy(seed, trial.encoding)
    if not trial.cosine_feature:
        return arrays
    return add_cosines({"toy": arrays}, lambda batch: batch.inputs, CPU, 12)["toy"]


def build(trial: TrialConfig, folder: Path) -> Classifier:
    torch.manual_seed(trial.seed)
    _, upper = load_encoder(folder, 3, encoding=trial.encoding)
    head = build_head(trial.head, width=12, head_width=trial.head_width)
    branch = build_branch(trial, arrays_of(trial, 0)) if trial.cosine_feature else None
    return Classifier(None, upper, head, branch=branch)


def loaded(trial: TrialConfig) -> tuple[LoadedSplit, LoadedSplit]:
    """Return a split to train on, and one for validation."""
    first, second = (LoadedSplit(arrays_of(trial, seed), trial, CPU) for seed in (0, 1))
    return first, second


def train(trial: TrialConfig, folder: Path) -> list[EpochResult]:
    return list(fit(build(trial, folder), *loaded(trial), trial))


def numbers(results: list[EpochResult]) -> list[tuple[float, ...]]:
    return [(r.train_loss, r.val_loss, *r.scores.values()) for r in results]


def test_a_separable_problem_is_learned(distilbert: Path) -> None:
    last = train(config(epochs=12), distilbert)[-1]
    assert last.scores["auc"] > 0.95
    assert not last.diverged


def test_the_same_seed_repeats_every_number(distilbert: Path) -> None:
    trial = config(dropout=0.3)
    assert numbers(train(trial, distilbert)) == numbers(train(trial, distilbert))


def test_another_seed_gives_other_numbers(distilbert: Path) -> None:
    first, second = train(config(), distilbert), train(config(seed=1), distilbert)
    assert numbers(first) != numbers(second)


def test_leaving_the_loop_ends_the_training(distilbert: Path) -> None:
    trial = config(epochs=50)
    assert next(fit(build(trial, distilbert), *loaded(trial), trial)).epoch == 1


def test_a_diverged_trial_ends_early_with_finite_numbers(distilbert: Path) -> None:
    trial = config(epochs=20)
    broken, validation = toy(0), toy(1)
    assert isinstance(broken.states, np.ndarray)
    broken.states[9 * 5] = np.inf  # as after an overflow in the frozen layers
    first, second = (LoadedSplit(arrays, trial, CPU) for arrays in (broken, validation))
    results = list(fit(build(trial, distilbert), first, second, trial))
    assert results[-1].diverged
    assert len(results) < 20
    assert all(math.isfinite(value) for row in numbers(results) for value in row)


def test_swapping_the_definitions_of_every_pair_changes_nothing(distilbert: Path) -> None:
    trial = config(head="bilstm_attention")  # not symmetric by itself
    model = build(trial, distilbert)
    arrays = toy(0)
    assert isinstance(arrays.states, np.ndarray)
    rows = 2 * PAIRS
    order = np.concatenate([np.arange(PAIRS, rows), np.arange(PAIRS)])
    positions = (order[:, None] * 9 + np.arange(9)).ravel()  # every row has 9 tokens
    swapped = SplitArrays(
        table=TokenTable(
            tokens=arrays.table.tokens[positions],
            segments=arrays.table.segments[positions],
            offsets=arrays.table.offsets,
            pairs=PAIRS,
        ),
        states=arrays.states[positions],
        labels=arrays.labels,
        votes=arrays.votes,
        entities=arrays.entities,
    )
    found, expected = (predict(model, LoadedSplit(s, trial, CPU)) for s in (swapped, arrays))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    one_order = config(head="bilstm_attention", both_orders=False)
    alone = [predict(model, LoadedSplit(s, one_order, CPU)) for s in (swapped, arrays)]
    assert not np.allclose(*alone, atol=1e-4)


def test_targets_are_vote_shares_or_certain_labels() -> None:
    arrays = toy(0)
    votes = LoadedSplit(arrays, config(targets="votes"), CPU)
    labels = LoadedSplit(arrays, config(targets="labels"), CPU)
    rows = np.array([3, PAIRS + 3])  # both orders of one pair
    np.testing.assert_allclose(votes.targets_of(rows)[:, 1], [arrays.votes[3]] * 2)
    np.testing.assert_allclose(labels.targets_of(rows)[:, 1], [arrays.labels[3]] * 2)


def test_probabilities_of_huge_logits_are_certain_and_not_nan() -> None:
    logits = np.array([[3e38, -3e38], [-3e38, 3e38], [1.0, 1.0]], dtype=np.float32)
    assert to_probabilities(logits).tolist() == [0.0, 1.0, 0.5]


def test_r_drop_adds_loss_only_if_the_two_passes_differ(
    distilbert: Path,
) -> None:
    for dropout, differs in ((0.0, False), (0.4, True)):
        trial = config(dropout=dropout)
        model = build(trial, distilbert).train()
        for module in model.modules():
            if isinstance(module, Dropout):
                module.chance = dropout
            elif isinstance(module, torch.nn.Dropout):
                module.p = dropout
        split = LoadedSplit(toy(0), trial, CPU)
        batch = split.reader.read(np.arange(PAIRS))
        targets = split.targets_of(np.arange(PAIRS))
        losses = []
        for weight in (1e-9, 1.0):
            torch.manual_seed(3)
            losses.append(batch_loss(model, batch, targets, weight).item())
        assert (losses[1] > losses[0] + 1e-6) == differs


def test_overlap_features_reach_the_classifier(distilbert: Path) -> None:
    trial = config(overlap_features=True)
    overlap = np.arange(2 * PAIRS, dtype=np.float64).reshape(PAIRS, 2)
    arrays = replace(toy(0), overlap=overlap)
    batch = LoadedSplit(arrays, trial, CPU).reader.read(np.array([4, PAIRS + 4, 7]))
    assert batch.features is not None
    assert batch.features.tolist() == [[8, 9], [8, 9], [14, 15]]  # both orders of pair 4, pair 7
    assert LoadedSplit(arrays, config(), CPU).reader.read(np.array([4])).features is None


@pytest.mark.parametrize("left_after", [1, 3])
@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "adamw"},
        {"optimizer": "sgd"},
        {"encoding": "separate", "cosine_feature": True},
    ],
)
def test_a_resumed_training_equals_one_that_was_not_interrupted(
    distilbert: Path, changes: dict[str, Any], left_after: int
) -> None:
    trial = config(epochs=4, dropout=0.3, r_drop=0.2, **changes)
    first, second = loaded(trial)
    interrupted = Trainer(build(trial, distilbert), first, second, trial)
    results = [interrupted.run_epoch() for _ in range(left_after)]
    buffer = io.BytesIO()
    torch.save(interrupted.state_dict(), buffer)
    buffer.seek(0)
    other = build(trial.model_copy(update={"seed": 99}), distilbert)
    resumed = Trainer(other, first, second, trial)
    resumed.load_state_dict(torch.load(buffer, weights_only=True))
    while not resumed.finished:
        results.append(resumed.run_epoch())
        torch.rand(3)  # other code draws random numbers in between
    assert numbers(results) == numbers(train(trial, distilbert))


@pytest.mark.parametrize("epochs_before", [0, 1])
def test_a_training_diverges_with_the_same_result_however_seldom_losses_are_read(
    distilbert: Path, monkeypatch: pytest.MonkeyPatch, epochs_before: int
) -> None:
    trial = config(epochs=20)
    found, weights = [], []
    for between in (1, 4, 32):
        monkeypatch.setitem(epoch._STEPS_BETWEEN_LOOKS, "cpu", between)
        arrays = toy(0)
        assert arrays.states is not None
        first, second = (LoadedSplit(each, trial, CPU) for each in (arrays, toy(1)))
        training = Trainer(build(trial, distilbert), first, second, trial)
        results = [training.run_epoch() for _ in range(epochs_before)]
        first.targets[30] = math.inf
        results.append(training.run_epoch())
        assert training.finished
        assert [result.diverged for result in results] == [False] * epochs_before + [True]
        found.append(numbers(results))
        weights.append(training.model.get_parameter("head.classify.weight").clone())
    assert found[0] == found[1] == found[2]
    if not epochs_before:  # the initial weights
        assert all(torch.equal(weights[0], other) for other in weights)
