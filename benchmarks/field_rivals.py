"""Search with another program, as its documentation shows: a child process of against_field.py.

    python benchmarks/field_rivals.py embeddings --data FOLDER --encoder FOLDER --output FILE

``cross_encoder`` trains all layers with the CrossEncoder trainer of sentence-transformers;
``embeddings`` encodes each text once with its SentenceTransformer and fits scikit-learn's
classifiers to features of both vectors. Both try the defaults of their libraries first, draw the
rest with Optuna's TPE, and are scored on validation.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.machine import machine_precision
from tuning.config.experiment import Cleaning
from tuning.data.pairs import PairTable, read_pairs
from tuning.data.sources import find_data, read_locations

LOADING: dict[str, Any] = {"device": "cpu", "model_kwargs": {"dtype": torch.float32}}
Objective = Callable[[optuna.Trial], float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What a search works on: two splits, the folder of the encoder, a folder for its files."""

    train: PairTable
    validation: PairTable
    encoder: Path
    folder: Path


def cross_encoder(work: Work) -> Objective:
    """Return the validation AUC of a cross encoder, all of whose layers were trained."""
    from datasets import Dataset  # pyright: ignore[reportMissingImports] - of the extra rivals
    from sentence_transformers.cross_encoder import (
        CrossEncoder,
        CrossEncoderTrainer,
        CrossEncoderTrainingArguments,
    )

    columns = {"first": work.train.first, "second": work.train.second}
    train = Dataset.from_dict({**columns, "label": work.train.labels.astype(float).tolist()})
    pairs = list(zip(work.validation.first, work.validation.second, strict=True))

    def objective(trial: optuna.Trial) -> float:
        """Train a new cross encoder as the trial draws and return its validation AUC."""
        torch.manual_seed(trial.number)  # the trainer seeds itself, after the new layer is drawn
        model = CrossEncoder(str(work.encoder), num_labels=1, **LOADING)
        settings = CrossEncoderTrainingArguments(
            output_dir=str(work.folder),
            **draw_training(trial),
            bf16=machine_precision().trained == "bfloat16",
            use_cpu=True,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            dataloader_pin_memory=False,
            seed=trial.number,
        )
        CrossEncoderTrainer(model=model, args=settings, train_dataset=train).train()
        return _auc(work, model.predict(pairs, show_progress_bar=False))

    return objective


def draw_training(trial: optuna.Trial) -> dict[str, Any]:
    """Return arguments of the trainer, as the trial draws them.

    The space is that of https://sbert.net/examples/training/hpo, with up to three epochs.
    """
    return {
        "num_train_epochs": trial.suggest_int("num_train_epochs", 1, 3),
        "per_device_train_batch_size": trial.suggest_int("per_device_train_batch_size", 32, 128),
        "warmup_steps": trial.suggest_float("warmup_ratio", 0, 0.3),  # below 1: a share
        "learning_rate": trial.suggest_float("learning_rate", 1e-6, 1e-4, log=True),
    }


def embeddings(work: Work) -> Objective:
    """Return the validation AUC of a classifier on features of frozen embeddings."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(work.encoder), **LOADING)
    features = [pair_features(model.encode, split) for split in (work.train, work.validation)]

    def objective(trial: optuna.Trial) -> float:
        """Fit the classifier that the trial draws and return its validation AUC."""
        classifier = draw_classifier(trial)
        classifier.fit(features[0], work.train.labels)
        return _auc(work, classifier.predict_proba(features[1])[:, 1])

    return objective


def pair_features(encode: Callable[[list[str]], np.ndarray], split: PairTable) -> np.ndarray:
    """Return |u - v|, u * v and the cosine of each pair, (N, 2D + 1).

    Args:
        encode: Function from M texts to their vectors, (M, D); is given each text once.
        split: N pairs.
    """
    texts, places = np.unique([*split.first, *split.second], return_inverse=True)
    vectors = encode(texts.tolist())[places]  # (2N, D)
    first, second = np.split(vectors, 2)
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    cosine = (first * second).sum(axis=1) / lengths
    return np.hstack([np.abs(first - second), first * second, cosine[:, None]])


def draw_classifier(trial: optuna.Trial):  # noqa: ANN201 - scikit-learn names no common type
    """Return an untrained logistic regression or gradient boosting, as the trial draws it."""
    if trial.suggest_categorical("classifier", ["logistic", "boosting"]) == "logistic":
        strength = trial.suggest_float("C", 1e-4, 1e2, log=True)
        return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
    return HistGradientBoostingClassifier(
        learning_rate=trial.suggest_float("boosting_rate", 0.01, 0.3, log=True),
        max_iter=trial.suggest_int("max_iter", 50, 400),
        max_leaf_nodes=trial.suggest_int("max_leaf_nodes", 7, 63),
        l2_regularization=trial.suggest_float("l2_regularization", 1e-3, 10, log=True),
        random_state=0,
    )


def _auc(work: Work, scores: np.ndarray) -> float:
    return float(roc_auc_score(work.validation.labels, scores))


RIVALS: dict[str, Callable[[Work], Objective]] = {
    "cross_encoder": cross_encoder,
    "embeddings": embeddings,
}
FIRST: dict[str, list[dict[str, Any]]] = {  # defaults, or what of the space is nearest to them
    "cross_encoder": [{"num_train_epochs": 3, "per_device_train_batch_size": 32,
                       "warmup_ratio": 0.0, "learning_rate": 5e-5}],
    "embeddings": [{"classifier": "logistic", "C": 1.0},
                   {"classifier": "boosting", "boosting_rate": 0.1, "max_iter": 100,
                    "max_leaf_nodes": 31, "l2_regularization": 1e-3}],
}  # fmt: skip


def search(
    objective: Objective,
    trials: int,
    seed: int,
    output: Path,
    first: Sequence[dict[str, Any]] = (),
) -> None:
    """Draw and score trials; append to ``output`` a line with end and AUC as each trial ends.

    Args:
        objective: Function that trains a trial and returns its validation AUC.
        trials: Number of trials.
        seed: Random seed of the sampler.
        output: File of JSON lines: ``time`` in seconds since 1970, ``auc``, what was drawn.
        first: Values of the first trials.
    """

    def write(_: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        """Append a line on a trial that has ended."""
        row = {"time": time.time(), "auc": trial.value, "drawn": trial.params}
        with output.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(row)}\n")

    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed)
    )
    for values in first:
        study.enqueue_trial(values)
    study.optimize(objective, n_trials=trials, callbacks=[write])


def main() -> int:
    """Return 0 after all trials."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Search with another program."
    )
    parser.add_argument("rival", choices=list(RIVALS))
    parser.add_argument("--data", required=True, help="as for run_search.py")
    parser.add_argument("--encoder", type=Path, required=True, help="folder of the encoder")
    parser.add_argument("--trials", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0, help="of the sampler")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, required=True, help="file of JSON lines")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    source = find_data(args.data, read_locations(), strict=True)
    splits = read_pairs(source.folder, Cleaning()).splits  # test takes no part
    with tempfile.TemporaryDirectory() as folder:
        work = Work(
            train=splits["train"],
            validation=splits["validation"],
            encoder=args.encoder,
            folder=Path(folder),
        )
        objective = RIVALS[args.rival](work)
        search(objective, args.trials, args.seed, args.output, FIRST[args.rival])
    return 0


if __name__ == "__main__":
    sys.exit(main())
