"""Guards a trial of a search: a collapse cannot win, numbers are finite, folds are as by hand."""

import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from measures.objective import OBJECTIVE, SEED_MEAN, Objective, flags_of
from models.batches import SplitArrays
from models.encoder import load_encoder
from models.number_formats import FLOAT32, Precision
from models.tokens import Encoding, TokenTable
from tests.tuning.training.test_trainer import CPU, PAIRS, arrays_of, config, numbers
from tuning.config.experiment import TrialConfig
from tuning.execution.context import with_pool
from tuning.execution.trial_spec import TrialSpec
from tuning.search.trial import SeedScores, fold_splits, report_of, start_folds, start_seeds
from tuning.training.builders import build_classifier
from tuning.training.inputs import LoadedSplit, SharedInputs
from tuning.training.trainer import EpochResult, fit

FLOOR = 0.65
F1, AUC = Objective(name="f1", floor=FLOOR), Objective(name="auc", floor=0.5)
GOOD = EpochResult(
    epoch=1,
    train_loss=0.6,
    val_loss=0.6,
    scores={"f1": 0.5, "positive_rate": 0.4, "auc": 0.8, "auc_standard_error": 0.02}
    | {"threshold": 0.3, "f1_at_threshold": 0.7, "target_loss": 0.5},
    seconds=1.0,
)


def scored(
    f1: float, rate: float = 0.4, area: float = 0.8, *, loss: float = 0.5, **changes: object
) -> EpochResult:
    scores = {"f1_at_threshold": f1, "positive_rate": rate, "auc": area, "target_loss": loss}
    return replace(GOOD, scores={**GOOD.scores, **scores}, **changes)


def objective(*epochs: list[EpochResult]) -> float:
    seed_scores = SeedScores(F1, len(epochs[0]))
    for results in epochs:
        seed_scores.update(results)
    return seed_scores.metrics()["objective"]


def test_the_objective_is_the_mean_over_seeds_of_each_seeds_best_epoch() -> None:
    first = [scored(0.75, loss=0.6), scored(0.72, loss=0.4)]
    second = [scored(0.74, loss=0.5), scored(0.78, loss=0.5)]
    assert objective(first, second) == pytest.approx((0.74 + 0.72) / 2)


@pytest.mark.parametrize(("rate", "area"), [(0.0, 0.8), (1.0, 0.8), (0.4, 0.53)])
def test_a_flagged_epoch_counts_as_all_positive(rate: float, area: float) -> None:
    assert objective([scored(0.9, rate, area)]) == FLOOR
    flagged = scored(0.9, rate, area, loss=0.1)
    assert objective([flagged], [scored(0.66)]) == objective([scored(0.66)], [flagged]) == 0.66


def test_a_seed_that_diverges_counts_as_all_positive_even_after_a_good_epoch() -> None:
    seed_scores = SeedScores(F1, 2)
    seed_scores.update([scored(0.74), scored(0.72)])
    seed_scores.update([scored(0.74, diverged=True), scored(0.70)])
    found = seed_scores.metrics()
    assert found["objective"] == pytest.approx((FLOOR + 0.72) / 2)
    assert found["diverged"] == 1.0
    assert all(math.isfinite(value) for value in found.values())


def test_a_collapsed_trial_is_flagged_by_its_best_epoch() -> None:
    seed_scores = SeedScores(F1, 1)
    seed_scores.update([scored(0.9, 1.0, 0.5)])
    assert flags_of(seed_scores.metrics()) == ["collapsed", "all positive at 0.5"]
    seed_scores.update([scored(0.7)])
    assert flags_of(seed_scores.metrics()) == []


def test_a_report_holds_no_test_score() -> None:
    seed_scores = SeedScores(F1, 1)
    seed_scores.update([GOOD])
    report = report_of([GOOD], seed_scores.metrics(), 4)
    assert (report[OBJECTIVE], report[SEED_MEAN]) == (0.7, 0.7)
    assert not [name for name in (*report, *report["best"]) if name.startswith("test")]


def test_by_auc_a_trial_is_worth_the_auc_of_each_seeds_best_epoch_and_reports_f1_too() -> None:
    seed_scores = SeedScores(AUC, 2)
    seed_scores.update([scored(0.7, area=0.8, loss=0.4), scored(0.6, area=0.9, loss=0.5)])
    seed_scores.update([scored(0.8, area=0.85, loss=0.5), scored(0.7, area=0.86, loss=0.4)])
    found = seed_scores.metrics()
    assert found[SEED_MEAN] == pytest.approx((0.8 + 0.86) / 2)
    report = report_of(seed_scores.history[-1], found, 4)
    assert report[SEED_MEAN] == found[SEED_MEAN]
    assert report[OBJECTIVE] == pytest.approx(0.7)
    seed_scores.update([scored(0.8, diverged=True), scored(0.7, rate=1.0, area=0.9, loss=0.1)])
    assert seed_scores.metrics()[SEED_MEAN] == pytest.approx((0.5 + 0.86) / 2)


COMPONENTS = np.arange(2 * PAIRS) % 37  # each has pairs of both splits
FOLDS = 3


def inputs_of(trial: TrialConfig, folder: Path) -> SharedInputs:
    """Return the inputs of a search without folds."""
    return SharedInputs(
        splits={"train": arrays_of(trial, 0), "validation": arrays_of(trial, 1)},
        index={},
        texts=([], []),
        tokenizer="",
        lower=None,
        upper=load_encoder(folder, 3, encoding=trial.encoding)[1],
        width=12,
        precision=Precision(FLOAT32, FLOAT32),
        card={},
    )


def folded(trial: TrialConfig, number: int = 4) -> TrialSpec:
    return TrialSpec(
        trial=trial, seeds=(5, 6, 7), params={"folds": FOLDS}, tags={"optuna_trial": str(number)}
    )


def pool_of(trial: TrialConfig, folder: Path) -> SplitArrays:
    pool = with_pool(inputs_of(trial, folder), COMPONENTS).pool
    assert pool is not None
    return replace(pool, votes=np.arange(2 * PAIRS))  # tells the pairs apart


def by_hand(trial: TrialConfig, pairs: np.ndarray) -> SplitArrays:
    """Return the split of some of the pairs of both splits, with its own copies of all arrays."""
    wholes = [arrays_of(trial, seed) for seed in (0, 1)]
    tokens, kinds, states, members = [], [], [], []
    for order in (0, PAIRS):
        for whole, pair in ((wholes[each // PAIRS], each % PAIRS) for each in pairs):
            table, row = whole.table, pair + order
            parts = [row] if table.members is None else table.members[row]
            members.append(range(len(tokens), len(tokens) + len(parts)))
            for part in parts:
                span = slice(table.offsets[part], table.offsets[part + 1])
                tokens.append(table.tokens[span])
                kinds.append(table.segments[span])
                states.append(whole.states[span])  # pyright: ignore[reportOptionalSubscript]
    both = {
        name: None
        if getattr(wholes[0], name) is None
        else np.concatenate([getattr(whole, name) for whole in wholes])[pairs]
        for name in ("labels", "votes", "cosine")
    }
    return SplitArrays(
        table=TokenTable(
            tokens=np.concatenate(tokens),
            segments=np.concatenate(kinds),
            offsets=np.cumsum([0, *map(len, tokens)]),
            pairs=len(pairs),
            members=np.array(members) if trial.encoding == "separate" else None,
        ),
        states=np.concatenate(states),
        entities=COMPONENTS[pairs],
        **both,  # pyright: ignore[reportArgumentType]
    )


def test_every_pair_is_validated_once_by_a_training_on_none_of_its_component(
    distilbert: Path,
) -> None:
    pool = pool_of(config(), distilbert)
    validated = []
    for splits in fold_splits(pool, folded(config())):
        train, validation = splits["train"], splits["validation"]
        assert not set(train.entities) & set(validation.entities)
        assert sorted([*train.votes, *validation.votes]) == list(range(2 * PAIRS))
        assert train.states is validation.states is pool.states
        validated += validation.votes.tolist()
    assert sorted(validated) == list(range(2 * PAIRS))


def test_each_trial_has_other_folds_and_the_same_again_when_it_is_resumed(
    distilbert: Path,
) -> None:
    pool = pool_of(config(), distilbert)
    first, again, other = (
        [splits["validation"].votes.tolist() for splits in fold_splits(pool, folded(config(), n))]
        for n in (4, 4, 5)
    )
    assert first == again
    assert not any(fold in other for fold in first)


@pytest.mark.parametrize("encoding", ["pair", "separate"])
def test_folds_are_worth_what_splits_made_by_hand_are(
    distilbert: Path, encoding: Encoding
) -> None:
    features = {"encoding": encoding, "cosine_feature": encoding == "separate"}
    trial = config(order_seed=5, dropout=0.2, **features)
    spec, plain = folded(trial), inputs_of(trial, distilbert)
    training, labels = start_folds(spec, with_pool(plain, COMPONENTS), CPU)
    np.testing.assert_array_equal(labels, by_hand(trial, np.arange(2 * PAIRS)).labels)
    epochs = []
    while not training.finished:
        epochs.append(training.run_epoch())
    for fold, splits in enumerate(fold_splits(pool_of(trial, distilbert), spec)):
        hand = {name: by_hand(trial, split.votes) for name, split in splits.items()}
        seeded = trial.model_copy(update={"seed": 5 + fold})
        model = build_classifier(seeded, replace(plain, splits=hand))
        train, validation = (LoadedSplit(hand[n], trial, CPU) for n in ("train", "validation"))
        expected = list(fit(model, train, validation, seeded))
        assert numbers([results[fold] for results in epochs]) == numbers(expected)


def test_folds_that_are_resumed_after_an_epoch_come_to_the_same_numbers(distilbert: Path) -> None:
    trial = config(order_seed=5, dropout=0.2)
    spec, inputs = folded(trial), with_pool(inputs_of(trial, distilbert), COMPONENTS)
    whole, _ = start_folds(spec, inputs, CPU)
    whole.run_epoch()
    buffer = io.BytesIO()
    torch.save(whole.state_dict(), buffer)
    expected = [whole.run_epoch(), whole.run_epoch()]
    buffer.seek(0)
    resumed, _ = start_folds(spec, inputs, CPU)
    resumed.load_state_dict(torch.load(buffer, weights_only=True))
    found = [resumed.run_epoch(), resumed.run_epoch()]
    assert list(map(numbers, found)) == list(map(numbers, expected))


def test_the_splits_of_the_data_train_as_without_folds_where_they_share_a_pool(
    distilbert: Path,
) -> None:
    trial = config(order_seed=5, dropout=0.2)
    spec, plain = TrialSpec(trial=trial, seeds=(5, 6)), inputs_of(trial, distilbert)
    found = []
    for inputs in (plain, with_pool(plain, COMPONENTS)):
        training, labels = start_seeds(spec, inputs, CPU)
        np.testing.assert_array_equal(labels, arrays_of(trial, 1).labels)
        found.append(numbers(training.run_epoch()))
    assert found[0] == found[1]
