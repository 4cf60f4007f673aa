"""What explains a misclassified example: effects of its words, nearest pairs, and causes."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity

from analysis.causes import find_causes
from analysis.load_runs import Launch, Store, StoreError

OCCLUSION_FORMAT = 1  # as in tuning.training.attention_maps, which needs torch


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
                "grid does, unless occlusion is false): its examples show attention only."
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
    pair: pd.Series,
    occluded: dict[str, Any],
    threshold: float,
    train: pd.DataFrame,
    seen: set[str],
) -> dict[str, Any]:
    """Return the facts of an example beside its texts.

    Args:
        pair: Test pair with what ``find_causes`` reads.
        occluded: Its example of ``read_occlusion``; empty without one.
        threshold: Threshold of the trial, in (0, 1).
        train: Training pairs.
        seen: Their word pieces.
    """
    sides = {
        f"{side}_words": [{"text": word, "change": c} for word, c in occluded.get(side, [])]
        for side in ("first", "second")
    }
    nearest = nearest_pairs(pair, train)
    causes = find_causes(pair, occluded, threshold, seen)
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
