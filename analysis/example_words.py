"""What explains a misclassified example: effects of its words, nearest pairs, and causes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity

from analysis.load_runs import Launch, Store, StoreError

OCCLUSION_FORMAT = 1  # as in tuning.training.attention_maps, which needs torch
_FEW, _MANY = 0.1, 0.5  # shares of common words


def read_occlusion(store: Store, launch: Launch, trial: str) -> dict[int, dict[str, Any]]:
    """Return a trial's logged examples by line; none, with a note, if the launch logged none.

    Args:
        store: MLflow store.
        launch: Launch of the trial.
        trial: Name of the trial's folder, as in ``01-all``.

    Raises:
        StoreError: If they are of a format that this version does not know.
    """
    with TemporaryDirectory() as folder:
        try:
            path = store.save_artifacts(launch.run_id, "explanations", Path(folder))
        except StoreError:
            store.notes.append(
                f"The launch of {launch.experiment} did not log what deleting a word changes (a "
                "grid does, unless `occlusion` is false): its examples show attention only."
            )
            return {}
        content = json.loads((path / "occlusion.json").read_bytes())
    if content["format"] != OCCLUSION_FORMAT:
        raise StoreError(
            f"explanations/occlusion.json of {launch.experiment}: format must be "
            f"{OCCLUSION_FORMAT}, got {content['format']}; a newer version wrote it"
        )
    return {found["line"]: found for found in content["trials"].get(trial, [])}


def explain(
    pair: pd.Series, occluded: dict[str, Any], threshold: float, train: pd.DataFrame
) -> dict[str, Any]:
    """Return the facts of an example beside its texts.

    Args:
        pair: Test pair with ``label``, ``overlap``, ``votes`` and ``voters``.
        occluded: its example of ``read_occlusion``; empty without one.
        threshold: Threshold of the trial, in (0, 1).
        train: Training pairs.
    """
    sides = {
        f"{side}_words": [{"text": word, "change": c} for word, c in occluded.get(side, [])]
        for side in ("first", "second")
    }
    nearest = nearest_pairs(pair, train)
    causes = [*_contested(pair), *_flips(occluded, threshold), *_by_overlap(pair)]
    shared = {"label": int(pair["label"]), "threshold": threshold, "note": ""}
    return {**shared, **sides, "nearest": nearest, "causes": causes}


def nearest_pairs(pair: pd.Series, train: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the three training pairs of the largest TF-IDF cosine, both texts together."""
    texts = [f"{a} {b}" for a, b in zip(train["first"], train["second"], strict=True)]
    vectorizer = TfidfVectorizer(sublinear_tf=True, token_pattern=r"\w+")
    matrix = vectorizer.fit_transform(texts)
    own = vectorizer.transform([f"{pair['first']} {pair['second']}"])
    values = np.asarray(cosine_similarity(matrix, own)).ravel()
    cosine = pd.Series(values).sort_values(ascending=False, kind="stable")
    return [
        {name: str(train.iloc[at][name]) for name in ("first", "second")}
        | {"label": int(train.iloc[at]["label"]), "similarity": float(cosine[at])}
        for at in cosine.index[:3]
    ]


def _contested(pair: pd.Series) -> list[str]:
    if math.isnan(pair["votes"]) or not 0 < pair["votes"] < pair["voters"]:
        return []
    votes, voters = round(pair["votes"]), round(pair["voters"])
    return [f"The item is contested: {votes} of {voters} annotators called it a paraphrase."]


def _flips(occluded: dict[str, Any], threshold: float) -> list[str]:
    if not occluded:
        return []
    cut, whole = math.log(threshold / (1 - threshold)), occluded["log_odds"]
    changes = [(abs(c), c, word) for side in ("first", "second") for word, c in occluded[side]
               if c is not None and (whole + c >= cut) != (whole >= cut)]  # fmt: skip
    if not changes:
        return []
    _, change, word = max(changes)
    return [f"One word flips the decision: without “{word}” the log-odds change by {change:+.2f}."]


def _by_overlap(pair: pd.Series) -> list[str]:
    share = f"{pair['overlap']:.0%}"
    if pair["label"] == 1 and pair["overlap"] <= _FEW:
        return [f"It is a paraphrase with hardly any shared words ({share})."]
    if pair["label"] == 0 and pair["overlap"] >= _MANY:
        return [f"It is no paraphrase and has many shared words ({share})."]
    return []
