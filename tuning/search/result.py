"""The result of a search, and its entries in the log: tables, the champion's run, differences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from measures.objective import SEED_MEAN, is_sound
from tuning.execution.outcomes import Outcome
from tuning.search.champion import ChampionScores
from tuning.search.confirmation import Retrained, seed_values
from tuning.search.context import Search


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """The result of a search.

    Args:
        best: The trial of the search whose configuration became champion.
        champion: The champion, retrained on fresh seeds.
        rounds: Race and final of the confirmation, from ``round_table``.
        scored: Scores of the champion on test.
        ablations: One row per ablation, from ``ablation_rows``; empty if none was run.
        tried: Outcomes of all trials of every stage.
    """

    best: Outcome
    champion: Retrained
    rounds: pd.DataFrame
    scored: ChampionScores
    ablations: pd.DataFrame
    tried: list[Outcome]


def log_result(search: Search, result: SearchResult) -> None:
    """Write the tables, log the champion as a run of its own, and close the parent run."""
    log, scored = search.launch.log, result.scored
    folder = search.launch.settings.folder / "champion"
    scored.scores.to_csv(folder / "scores.csv", index=False)
    scored.difference.to_csv(folder / "difference.csv", index=False)
    result.rounds.to_csv(folder / "rounds.csv", index=False)
    result.ablations.to_csv(folder / "ablations.csv", index=False)
    params = result.champion.config.model_dump(exclude={"seed", "order_seed"})
    params["seeds"] = len(scored.by_seed)
    log.log_champion(params, {**scored.metrics, **_gaps(search, result)}, folder)
    failed = sum(outcome.cause is not None for outcome in result.tried)
    best = result.best.metrics
    log.end_parent(failed=failed, summary=best if is_sound(best) else {})


def _gaps(search: Search, result: SearchResult) -> dict[str, float]:
    """Return the champion's value in each stage, and the differences up to test."""
    searched = result.best.metrics[SEED_MEAN]
    confirmed = float(np.mean(seed_values(result.champion, search.objective)))
    return {
        "search_value": searched,
        "confirmed_value": confirmed,
        "gap_search_to_confirmed": searched - confirmed,
        "gap_confirmed_to_test": confirmed - result.scored.metrics[search.objective.on_test],
    }
