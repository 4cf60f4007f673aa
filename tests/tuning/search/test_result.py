"""Guards what a search tells of an ensemble: it is made of sound, saved classifiers alone."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tuning.config.experiment import TrialConfig
from tuning.execution.outcomes import Outcome
from tuning.search.confirmation import Retrained
from tuning.search.result import greedy_ensemble

PAIRS = 60
LABELS = np.tile([0, 1], PAIRS // 2)


def saved(folder: Path, name: str, strength: float, groups: int = 12, **flags: float) -> Outcome:
    """Return the outcome of a trial that saved its predictions, of test too."""
    generator = np.random.default_rng(len(name))
    table = pd.DataFrame(
        {
            "split": "validation",
            "group": [f"NA{number % groups}" for number in range(PAIRS)],
            "label": LABELS,
            "probability": 0.5 + strength * (LABELS - 0.5) + generator.uniform(0, 0.1, PAIRS),
        }
    )
    wrong = table.assign(split="test", probability=1 - table["probability"])
    (folder / name).mkdir()
    pd.concat([table, wrong]).to_csv(folder / name / "predictions.csv", index=False)
    config = TrialConfig.model_validate({})
    return Outcome(name=name, config=config, metrics=flags, folder=folder / name)


def group(*outcomes: Outcome) -> Retrained:
    return Retrained(config=TrialConfig.model_validate({}), outcomes=list(outcomes))


def test_the_best_saved_classifier_is_chosen_and_compared_with_the_champion(
    tmp_path: Path,
) -> None:
    champion = group(saved(tmp_path, "weak", 0.02), saved(tmp_path, "weaker", 0.01))
    collapsed = saved(tmp_path, "flagged", 0.9, collapsed=1.0)
    failed = Outcome(name="failed", config=TrialConfig.model_validate({}), cause="killed")
    race = group(saved(tmp_path, "strong", 0.9), collapsed, failed)
    table = greedy_ensemble({"race": {"a": race}, "confirm": {"b": champion}}, champion)
    (row,) = table.to_dict("records")
    assert row["members"] == "strong 1.00"
    assert row["candidates"] == 3
    assert row["auc"] == 1.0  # on test it would be 0
    assert row["gain"] == pytest.approx(1 - row["reference_auc"])
    assert row["reference_auc"] < 0.9


def test_pairs_of_one_entity_tell_nothing(tmp_path: Path) -> None:
    champion = group(saved(tmp_path, "x", 0.02, groups=1))
    assert not len(greedy_ensemble({"confirm": {"b": champion}}, champion))
