"""Baselines without an encoder: all positive, word overlap, two learners on overlap features."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from measures.intervals import Predictions
from measures.metrics import choose_threshold
from measures.objective import ThresholdRule
from measures.overlap import overlap_features, word_overlap

_TOPICS = 50  # dimensions of the topic space


def _all_positive(pairs: pd.DataFrame, _train: np.ndarray) -> np.ndarray:
    return np.ones(len(pairs))


def _word_jaccard(pairs: pd.DataFrame, _train: np.ndarray) -> np.ndarray:
    return word_overlap(pairs["first"], pairs["second"])


def _logistic_regression(pairs: pd.DataFrame, train: np.ndarray) -> np.ndarray:
    features, labels = _overlap(pairs), pairs["label"].to_numpy()
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return model.fit(features[train], labels[train]).predict_proba(features)[:, 1]


def _gradient_boosting(pairs: pd.DataFrame, train: np.ndarray) -> np.ndarray:
    features, labels = _topic_features(pairs, train), pairs["label"].to_numpy()
    model = HistGradientBoostingClassifier(
        learning_rate=0.05, max_leaf_nodes=15, max_iter=200, random_state=0
    )
    return model.fit(features[train], labels[train]).predict_proba(features)[:, 1]


BASELINES: dict[str, Callable[[pd.DataFrame, np.ndarray], np.ndarray]] = {
    "all positive": _all_positive,
    "word overlap (Jaccard)": _word_jaccard,
    "logistic regression on overlap": _logistic_regression,
    "gradient boosting on overlap and topics": _gradient_boosting,
}


def baseline_predictions(
    pairs: pd.DataFrame,
    entities: np.ndarray,
    rule: ThresholdRule,
    names: Iterable[str] = tuple(BASELINES),
    scored: str = "test",
) -> dict[str, Predictions]:
    """Return the predictions of baselines for a split, trained on the train split.

    The threshold of each is chosen on the validation split.

    Args:
        pairs: All pairs, with ``split``, ``label``, ``first``, ``second``; index from 0.
        entities: Codes of that split's entities, int (N,), in the order of the rows.
        rule: Rule of the threshold, the same as of the models that they are compared with.
        names: Keys in ``BASELINES``.
        scored: Split to predict, ``test`` or ``validation``.
    """
    split = pairs["split"].to_numpy()
    labels = pairs["label"].to_numpy()
    validation, rows = split == "validation", split == scored
    found = {}
    for name in names:
        scores = BASELINES[name](pairs, split == "train")
        threshold, _ = choose_threshold(labels[validation], scores[validation], rule)
        found[name] = Predictions(
            labels=labels[rows],
            entities=entities,
            probabilities=scores[rows][None, :],
            seeds=np.array([0]),
            thresholds=np.array([threshold]),
        )
    return found


def _topic_features(pairs: pd.DataFrame, train: np.ndarray) -> np.ndarray:
    """Return overlap features and, for both texts' topics a and b, |a-b| and a*b.

    Where fewer than two words repeat there are no topics, and the overlap features stand alone.

    Topics are the leading singular directions of tf-idf weights, fitted on the train rows (latent
    semantic analysis, Deerwester et al., 1990).
    """
    texts = pd.concat([pairs.loc[train, "first"], pairs.loc[train, "second"]])
    weights = TfidfVectorizer(sublinear_tf=True, min_df=2)
    try:
        words = len(weights.fit(texts).vocabulary_)
    except ValueError:  # no word is in two texts
        words = 0
    if words < 2:  # scikit-learn decomposes no fewer
        return _overlap(pairs)
    count = min(_TOPICS, words)  # small data has fewer words than topics
    topics = make_pipeline(weights, TruncatedSVD(count, random_state=0)).fit(texts)
    first, second = topics.transform(pairs["first"]), topics.transform(pairs["second"])
    return np.hstack([_overlap(pairs), np.abs(first - second), first * second])


def _overlap(pairs: pd.DataFrame) -> np.ndarray:
    return overlap_features(pairs["first"], pairs["second"])
