"""Guards the other programs' searches: features by hand, each trial told as it ends."""

import json
import time
from pathlib import Path

import numpy as np
import optuna
import pytest

from benchmarks.field_rivals import (
    FIRST,
    RIVALS,
    Work,
    cross_encoder,
    draw_classifier,
    draw_training,
    pair_features,
    search,
)
from tuning.config.experiment import Cleaning
from tuning.data.pairs import PairTable, read_pairs
from tuning.system.project import EMBEDDED


def pairs(count: int) -> PairTable:
    """Return pairs of two words; the first is a paraphrase, the next is not, and so on."""
    return PairTable(
        first=[f"one {row}" for row in range(count)],
        second=["two"] * count,
        labels=np.arange(count) % 2,
        votes=np.full(count, np.nan, dtype=np.float32),
        groups=[],
        lines=[*range(2, count + 2)],
    )


def test_features_are_differences_products_and_a_cosine_of_texts_encoded_once() -> None:
    seen: list[str] = []

    def encode(texts: list[str]) -> np.ndarray:
        seen.extend(texts)
        return np.array([[3.0, 4.0] if text == "two" else [0.0, 2.0] for text in texts])

    features = pair_features(encode, pairs(3))
    np.testing.assert_allclose(features, [[3.0, 2.0, 0.0, 8.0, 0.8]] * 3)
    assert sorted(seen) == ["one 0", "one 1", "one 2", "two"]


@pytest.mark.parametrize("drawn", [{"classifier": "logistic", "C": 0.1},
                                   {"classifier": "boosting", "boosting_rate": 0.1, "max_iter": 60,
                                    "max_leaf_nodes": 9, "l2_regularization": 0.1}])  # fmt: skip
def test_either_classifier_is_built_from_what_is_drawn(drawn: dict[str, float]) -> None:
    classifier = draw_classifier(optuna.trial.FixedTrial(drawn))  # pyright: ignore[reportArgumentType]
    features = np.arange(80.0).reshape(40, 2)
    classifier.fit(features, (np.arange(40) >= 20).astype(int))
    assert classifier.predict(features)[[0, -1]].tolist() == [0, 1]


def test_a_search_tells_each_trial_when_it_ends_and_repeats_by_its_seed(tmp_path: Path) -> None:
    def objective(trial: optuna.Trial) -> float:
        return trial.suggest_float("x", 0, 1)

    before = time.time()
    for name in ("a", "b"):
        search(objective, 3, 7, tmp_path / name, [{"x": 0.25}])
    first, second = (
        [json.loads(line) for line in (tmp_path / name).read_text("utf-8").splitlines()]
        for name in ("a", "b")
    )
    assert [row["auc"] for row in first] == [row["drawn"]["x"] for row in second]
    assert len({row["auc"] for row in first}) == 3
    assert first[0]["drawn"] == {"x": 0.25}
    times = [row["time"] for row in (*first, *second)]
    assert [before, *times] == sorted([before, *times])


@pytest.mark.parametrize("name", list(RIVALS))
def test_the_defaults_that_are_tried_first_lie_in_the_space(name: str) -> None:
    for values in FIRST[name]:
        trial = optuna.trial.FixedTrial(values)
        if name == "embeddings":
            draw_classifier(trial)  # pyright: ignore[reportArgumentType]
        else:
            draw_training(trial)  # pyright: ignore[reportArgumentType]
        distributions = trial.distributions
        assert set(distributions) == set(values)
        for field, value in values.items():
            assert distributions[field]._contains(distributions[field].to_internal_repr(value))


@pytest.mark.slow
def test_a_cross_encoder_is_trained_and_scored(tmp_path: Path) -> None:
    pytest.importorskip("datasets", reason="is of the extra rivals")
    few = read_pairs(EMBEDDED / "pairs", Cleaning()).splits["validation"]
    train = PairTable(
        first=few.first[:48], second=few.second[:48], labels=few.labels[:48],
        votes=few.votes[:48], groups=[], lines=few.lines[:48],
    )  # fmt: skip
    encoder = EMBEDDED / "encoder"
    work = Work(train=train, validation=train, encoder=encoder, folder=tmp_path)
    objective = cross_encoder(work)
    drawn = {"num_train_epochs": 1, "per_device_train_batch_size": 32, "warmup_ratio": 0.1,
             "learning_rate": 1e-4}  # fmt: skip
    trial = optuna.trial.FixedTrial(drawn)
    scores = [objective(trial) for _ in range(2)]  # pyright: ignore[reportArgumentType]
    assert 0 < scores[0] < 1
    assert scores[0] == scores[1]  # its seed also draws the new layer
