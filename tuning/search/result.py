"""The result of a search, and its entries in the log: tables, the champion's run, differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from measures.comparison import entity_codes
from measures.ensemble import greedy_gain, greedy_weights
from measures.objective import SEED_MEAN, is_sound
from tuning.execution.outcomes import Outcome
from tuning.search.champion import ChampionScores
from tuning.search.confirmation import Retrained, on_validation, seed_values
from tuning.search.context import Search


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """The result of a search.

    Args:
        best: The trial of the search whose configuration became champion.
        champion: The champion, retrained on fresh seeds.
        rounds: Race and final of the confirmation, from ``round_table``.
        scored: Scores of the champion on test.
        greedy: What a greedy ensemble is worth, from ``greedy_ensemble``.
        ablations: One row per ablation, from ``ablation_rows``; empty if none was run.
        tried: Outcomes of all trials of every stage.
    """

    best: Outcome
    champion: Retrained
    rounds: pd.DataFrame
    scored: ChampionScores
    greedy: pd.DataFrame
    ablations: pd.DataFrame
    tried: list[Outcome]


def greedy_ensemble(
    rounds: Mapping[str, Mapping[str, Retrained]], champion: Retrained
) -> pd.DataFrame:
    """Return what a greedy ensemble of the retrained classifiers is worth on validation.

    It is one row: the ``members`` with their weights, selected on all of validation; from how many
    ``candidates``; and what ``greedy_gain`` tells of such ensembles on entities that they were not
    selected on, compared with the mean of the champion's seeds. There is no row if all validation
    pairs are of one entity.

    Args:
        rounds: Retrained configurations by name, by stage.
        champion: The champion.
    """
    every = [each for group in rounds.values() for each in group.values()]
    outcomes = [o for each in every for o in _usable(each)]
    names = [outcome.name for outcome in outcomes]
    probabilities = np.stack([on_validation(o)["probability"] for o in outcomes])
    pairs = on_validation(outcomes[0])
    labels, entities = pairs["label"].to_numpy(), entity_codes(pairs["group"])
    if len(np.unique(entities)) < 2:
        return pd.DataFrame()
    own = [names.index(outcome.name) for outcome in _usable(champion)]
    weights = greedy_weights(labels, probabilities)
    members = [f"{names[n]} {weights[n]:.2f}" for n in np.argsort(-weights) if weights[n] > 0]
    gain = greedy_gain(labels, entities, probabilities, probabilities[own].mean(axis=0))
    return pd.DataFrame([{"members": ", ".join(members), "candidates": len(names), **gain}])


def _usable(retrained: Retrained) -> list[Outcome]:
    return [o for o in retrained.outcomes if o.folder is not None and is_sound(o.metrics)]


def log_result(search: Search, result: SearchResult) -> None:
    """Write the tables, log the champion as a run of its own, and close the parent run."""
    log, scored = search.launch.log, result.scored
    folder = search.launch.settings.folder / "champion"
    scored.scores.to_csv(folder / "scores.csv", index=False)
    scored.difference.to_csv(folder / "difference.csv", index=False)
    result.rounds.to_csv(folder / "rounds.csv", index=False)
    result.greedy.to_csv(folder / "ensemble.csv", index=False)
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
