"""Guards the sentences on a champion: its scores beside the baseline's, and claims."""

import pandas as pd

from analysis import champion_findings
from tests.analysis.test_findings import DIFFERENCE


def scores(model: str, threshold: str, mean: float, seeds: int) -> list[dict[str, object]]:
    return [
        {"model": model, "threshold": threshold, "metric": metric, "seeds": seeds,
         "mean": mean + 0.01 * place, "low": mean - 0.1, "high": mean + 0.1}
        for place, metric in enumerate(("f1", "accuracy", "auc"))
    ]  # fmt: skip


def test_the_summary_has_the_champions_scores_at_its_threshold_and_the_baselines() -> None:
    rows = [
        *scores("champion", "validation", 0.71, 5), *scores("forest", "validation", 0.6, 1),
        *scores("champion", "0.5", 0.2, 5), *scores("forest", "0.5", 0.3, 1),
    ]  # fmt: skip
    (sentence,) = champion_findings.in_short(pd.DataFrame(rows))
    assert "as the mean of 5 fresh seeds: F1 .710 (95 % interval .610 to .810), acc" in sentence
    assert sentence.endswith("The baseline, forest: F1 .600, accuracy .610, AUC .620.")


def test_a_log_without_a_baseline_has_no_summary() -> None:
    assert not champion_findings.in_short(pd.DataFrame(scores("champion", "validation", 0.7, 5)))


def test_a_champion_is_compared_at_both_thresholds_and_in_logs_of_before_without_a_claim() -> None:
    half = {**DIFFERENCE, "threshold": 0.5, "f1_p_holm": 0.9}
    first, second = champion_findings.about_champion(pd.DataFrame([DIFFERENCE, half]))
    assert first.startswith("Test F1 at the threshold chosen on validation is 7.0 points higher")
    assert second.startswith("No difference in test F1 at 0.5 is shown between the some")
    before = {name: value for name, value in DIFFERENCE.items() if "_p" not in name}
    (sentence,) = champion_findings.about_champion(pd.DataFrame([before]))
    assert sentence.endswith("by +7.0 points (95 % interval +4.0 to +10.0, not corrected).")
