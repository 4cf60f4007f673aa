"""A search before its first trial: its study opened, warm-started or compared."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from pydantic import ValidationError
from rich.console import Console

from tuning.config import TrialConfig, config_from_params
from tuning.launch_log import PARENT, LaunchLog
from tuning.launches import Settings
from tuning.logged import read_trials
from tuning.prepare import Prepared
from tuning.scores import all_positive_f1
from tuning.space import SearchSettings, Space
from tuning.study import (
    Proposer,
    enqueue_first,
    open_storage,
    open_study,
    warm_start,
)
from tuning.verdict import value_of


@dataclass(frozen=True, kw_only=True)
class Search:
    """A search under way: what was asked for, where it is logged, what Optuna knows.

    ``frozen`` is the champion that a launch had written down before it was interrupted.
    """

    prepared: Prepared
    settings: Settings
    search: SearchSettings
    launch_log: LaunchLog
    study: optuna.Study
    proposer: Proposer
    console: Console
    frozen: str | None

    @property
    def floor(self) -> float:
        """Return the validation F1 of calling every pair a paraphrase."""
        return all_positive_f1(self.prepared.pairs.splits["validation"].labels)


def find_study(prepared: Prepared, search: SearchSettings, storage: str) -> optuna.Study:
    """Return the study of a search, made if it does not exist.

    Raises:
        StudyError: If it cannot be used, or belongs to another search.
    """
    name = search.study or prepared.experiment.name
    wanted = identity(prepared, search, fixed_fields(prepared))
    return open_study(open_storage(storage), name, wanted)


def take_up(
    prepared: Prepared,
    search: SearchSettings,
    settings: Settings,
    study: optuna.Study,
    launch_log: LaunchLog,
    console: Console,
) -> Search:
    """Return the search as it stands, with its study and its log."""
    launch_log.tag(PARENT, {"study": study.study_name})
    proposer = Proposer(
        space=prepared.experiment.space,
        fixed=fixed_fields(prepared),
        settings=search,
        launch=launch_log.launch,
        train_pairs=len(prepared.pairs.splits["train"].labels),
        votes=prepared.pairs.has_votes,
    )
    return Search(
        prepared=prepared,
        settings=settings,
        search=search,
        launch_log=launch_log,
        study=study,
        proposer=proposer,
        console=console,
        frozen=launch_log.runs[PARENT].tags.get("champion"),
    )


def begin(
    study: optuna.Study, prepared: Prepared, search: SearchSettings, uri: str, console: Console
) -> None:
    """Tell the study what is known of finished trials, and what it is to try first.

    Raises:
        StudyError: If what it should learn from lies in another space.
    """
    own = {trial.user_attrs.get("launch") for trial in study.get_trials()}
    known = find_finished(prepared, search, uri, console, own)
    fixed = comparable(fixed_fields(prepared))
    learned = warm_start(study, prepared.experiment.space, fixed, known)
    if known:
        console.print(f"Warm start: {learned} of {len(known)} trials of '{search.warm_start}'")
    enqueue_first(study, search.try_first)


def fixed_fields(prepared: Prepared) -> dict[str, Any]:
    """Return the fields of a trial that the search keeps as the YAML file has them."""
    return prepared.experiment.trial.model_dump()


def comparable(fixed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields in which another experiment's trial must agree to be learned from."""
    apart = ("seed", "order_seed", "min_steps")
    return {name: value for name, value in fixed.items() if name not in apart}


def identity(
    prepared: Prepared, search: SearchSettings, fixed: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what all trials of a study must have in common."""
    space: Space = prepared.experiment.space
    return {
        "space": {name: axis.model_dump(exclude_defaults=True) for name, axis in space.items()},
        "fixed": {name: value for name, value in fixed.items() if name not in space},
        "data": prepared.pairs.fingerprint,
        "encoder": prepared.encoder.fingerprint,
        "seeds": search.seeds,
    }


def find_finished(
    prepared: Prepared,
    search: SearchSettings,
    uri: str,
    console: Console,
    own: Collection[str | None] = (),
) -> list[tuple[str, dict[str, Any], float]]:
    """Return id, configuration and value of the finished trials that a search may learn from.

    Only those of the same data and encoder count; that there are none is said, not an error.
    Those of the launches in ``own`` are in the study already.
    """
    if search.warm_start is None:
        return []
    same = {
        "data_fingerprint": prepared.pairs.fingerprint,
        "encoder_fingerprint": prepared.encoder.fingerprint,
    }
    logged = [r for r in read_trials(uri, search.warm_start, same) if r.launch not in own]
    if not logged:
        console.print(
            f"Notice: the log has no finished trial of '{search.warm_start}' on this data and "
            "encoder: the search starts without a warm start",
            style="bold yellow",
        )
    floor = all_positive_f1(prepared.pairs.splits["validation"].labels)
    return [
        (run.run_id, values, value_of(run.metrics, floor))
        for run in logged
        if (values := _as_asked(run.params, prepared)) is not None
    ]


def _as_asked(params: Mapping[str, str], prepared: Prepared) -> dict[str, Any] | None:
    """Return a logged configuration as a search would draw it: before it was fitted to the data.

    More or fewer epochs than the space has count as its nearest end: they are a budget, and what
    is learned from is the best epoch. None if this version cannot read the configuration.
    """
    try:
        config = config_from_params(params)
    except ValidationError:
        return None
    values = config.model_dump()
    space, fixed = prepared.experiment.space, prepared.experiment.trial.model_dump()
    size, votes = len(prepared.pairs.splits["train"].labels), prepared.pairs.has_votes
    for field in ("targets", "epochs"):
        axis = space.get(field)
        drawn = [fixed[field]] if axis is None else axis.ends
        for end in drawn:
            asked = {**values, field: end, "min_steps": fixed["min_steps"]}
            fitted = TrialConfig(**asked).fit_to_data(pairs=size, votes=votes)
            if getattr(fitted, field) == values[field]:
                values[field] = end
                break
    epochs = space.get("epochs")
    if epochs is not None and epochs.choices is None:
        values["epochs"] = min(max(values["epochs"], epochs.ends[0]), epochs.ends[1])
    return values
