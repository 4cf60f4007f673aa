"""The Optuna study of a search: opening it, checking whose it is, repairing it after a crash."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from measures.addresses import sqlite_path
from measures.objective import SEED_MEAN
from measures.passwords import first_line, hide_passwords
from measures.sqlite_tables import read_tables
from tuning.system.sqlite_lock import lock_sqlite
from tuning.tracking.resume import differences, plain

_SEARCH = "search"  # of a study: the search that draws from it; of a trial: that it is drawn for
METRICS = "metrics"  # of a trial that a joined driver finished: its final metrics
_PAUSE = 1.0  # seconds between two looks at what other drivers do
logger = logging.getLogger(__name__)


class StudyError(OSError):
    """A study that cannot be used; the message names it, the reason and the way out."""


def open_storage(url: str) -> RDBStorage:
    """Return the storage at an RDB URL, after creating its SQLite file or its tables if needed.

    Optuna's log is limited to warnings. Programs that open a new SQLite file at the same time
    would all create its tables, so a lock lets one do it after the other.

    Raises:
        StudyError: If the storage cannot be reached or is not Optuna's.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # else it prints a line for each study
    engine_options = {"connect_args": {"timeout": 60}} if sqlite_path(url) is not None else None
    try:
        with lock_sqlite(url):
            _check_owner(url)
            # Optuna takes braces for its own, as in {SCHEMA_VERSION}
            plain = url.replace("{", "{{").replace("}", "}}")
            return RDBStorage(plain, engine_kwargs=engine_options)
    except (SQLAlchemyError, RuntimeError, ImportError, ValueError, OSError) as error:
        reason = first_line(error)
        raise StudyError(
            f"storage: {hide_passwords(url)} cannot be used: {reason}; --storage names another, "
            "for example sqlite:////absolute/path.db"
        ) from error


def storage_url(study: optuna.Study) -> str:
    """Return the URL of the database that holds a study; empty for one in memory."""
    storage = study._storage  # Optuna's cache around it, whose public interface has no address
    return str(getattr(getattr(storage, "_backend", storage), "url", ""))


def _check_owner(url: str) -> None:
    """Check that a SQLite file is Optuna's: Optuna would add its tables to any other database.

    Raises:
        ValueError: If it has the tables of another program, as MLflow's store.
        OSError: If it cannot be opened.
    """
    path = sqlite_path(url)
    found = read_tables(path) if path is not None and path.exists() else None
    if found and ("studies" not in found or "experiments" in found):
        raise ValueError("it is the database of another program, not of studies")


def load_study(storage: RDBStorage, name: str, identity: Mapping[str, Any]) -> optuna.Study:
    """Return the study of that name, after creating it if it does not exist.

    Args:
        storage: Storage from ``open_storage``.
        name: Name of the study.
        identity: Properties that all trials of the study must share, as JSON values.

    Raises:
        StudyError: If the study was made with another identity.
    """
    study = optuna.create_study(
        storage=storage, study_name=name, direction="maximize", load_if_exists=True
    )
    known = study.user_attrs.get("identity")
    wanted = plain(identity)
    if known is None and not study.trials:
        study.set_user_attr("identity", wanted)
    elif known != wanted:
        raise StudyError(
            f"study: {name!r} holds trials of another search: "
            f"{'; '.join(differences(known or {}, wanted))}; give this one a name of its own: "
            "--set search.study=NAME, or restore the settings that the study was made with"
        )
    return study


def trials_of(study: optuna.Study, launch: str) -> list[FrozenTrial]:
    """Return the trials that a launch drew, in the order of their numbers."""
    return [trial for trial in study.get_trials() if trial.user_attrs.get("launch") == launch]


def announce(study: optuna.Study, launch: str, count: int, seed: int = 0) -> None:
    """Note in the study which launch's search it serves, for drivers that join it.

    Args:
        study: The study.
        launch: Id of the launch that confirms the best of what all drivers draw.
        count: Number of configurations that they draw together; 0 once none is left to draw.
        seed: Seed of the search.
    """
    study.set_user_attr(_SEARCH, {"launch": launch, "count": count, "seed": seed})


def announced(study: optuna.Study, seed: int = 0) -> tuple[str, int]:
    """Return the launch and the count that ``announce`` noted.

    Args:
        study: The study.
        seed: Seed of the search that is to join: trials are compared on equal seeds.

    Raises:
        StudyError: If no search draws from the study, or one with another seed.
    """
    found = study.user_attrs.get(_SEARCH, {"count": 0})
    if not found["count"]:
        raise StudyError(
            f"--join: no search draws from the study {study.study_name!r} of this storage; start "
            "one without --join, and join it with its --storage once it says that it trains"
        )
    if (wanted := found.get("seed", seed)) != seed:  # a version before noted none
        told = (
            f"must be {wanted}, that of the search, got {seed}; --set search.seed={wanted} joins"
        )
        raise StudyError(f"--join: search.seed: {told} it")
    return found["launch"], found["count"]


def has_room(study: optuna.Study, number: int, search: str, count: int) -> bool:
    """Return whether a trial is among the first ``count`` that drivers drew for a search.

    Drivers that draw at the same moment come to one answer, since numbers are given once, and a
    trial that bears no search yet, which one of them is drawing, counts too.
    """
    earlier = [t for t in study.get_trials(deepcopy=False) if t.number < number]
    drawn = [t for t in earlier if t.user_attrs.get(_SEARCH) == search or _is_being_drawn(t)]
    return len(drawn) < count


def _is_being_drawn(trial: FrozenTrial) -> bool:
    # one that bears a launch and no search was left running by a version that noted no search
    return trial.state == TrialState.RUNNING and not {_SEARCH, "launch"} & {*trial.user_attrs}


def hand_over(
    study: optuna.Study, launch: str, metrics: Mapping[int, Mapping[str, float]]
) -> None:
    """Complete what a joined driver left running and has metrics of, by number; queue the rest."""
    for trial in study.get_trials(states=[TrialState.RUNNING]):
        if trial.number in metrics and trial.user_attrs.get("launch") == launch:
            # Optuna's public interface writes only to a trial that this process has asked for
            study._storage.set_trial_user_attr(trial._trial_id, METRICS, {**metrics[trial.number]})
    close_stale(study, launch, {n: values[SEED_MEAN] for n, values in metrics.items()})


def joined(study: optuna.Study, search: str, state: TrialState) -> list[FrozenTrial]:
    """Return the trials in a state that joined drivers drew for a search."""
    drawn = [t for t in study.get_trials(states=[state]) if t.user_attrs.get(_SEARCH) == search]
    return [trial for trial in drawn if trial.user_attrs.get("launch") != search]


def wait_for_joined(study: optuna.Study, search: str, patience: float) -> None:
    """Return once no joined driver trains for a search.

    The trials of one that reports nothing any more are queued, and begin again.

    Args:
        study: The study.
        search: Id of the launch whose search it is.
        patience: Longest time between two reports in seconds.
    """
    before, since = None, time.monotonic()
    while running := joined(study, search, TrialState.RUNNING):
        reported = [(trial.number, len(trial.intermediate_values)) for trial in running]
        if reported != before:
            before, since = reported, time.monotonic()
        elif time.monotonic() - since > patience:
            for trial in running:
                study._storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)
            return
        time.sleep(_PAUSE)


def queued(study: optuna.Study, search: str) -> int:
    """Return the number of a search's trials that were begun, interrupted, and are queued."""
    trials = study.get_trials(states=[TrialState.WAITING])
    return sum(trial.user_attrs.get(_SEARCH) == search for trial in trials)


def waiting(study: optuna.Study) -> list[int]:
    """Return the numbers of the trials that are queued."""
    return [trial.number for trial in study.get_trials(states=[TrialState.WAITING])]


def close_stale(
    study: optuna.Study, launch: str, values: Mapping[int, float | None], *, requeue: bool = True
) -> list[int]:
    """Close the trials that a launch left running; return the numbers of those without a value.

    A trial with a value becomes complete, a failed one fails. One without is queued, to run as
    the same trial with the same parameters, or fails. A running trial that bears no launch was
    being drawn when its driver was killed: it counts as this launch's.

    Args:
        study: The study.
        launch: Id of the launch.
        values: Final values of finished trials, by number, from the log; None for a failed one.
        requeue: Whether trials without a value are queued; if not, they fail.
    """
    unfinished = []
    if any("launch" not in t.user_attrs for t in study.get_trials(states=[TrialState.RUNNING])):
        time.sleep(_PAUSE)  # another driver may be drawing it at this moment
    state = TrialState.WAITING if requeue else TrialState.FAIL
    for trial in study.get_trials(states=[TrialState.RUNNING]):
        if trial.user_attrs.get("launch", launch) != launch:
            continue
        if trial.number in values:
            value = values[trial.number]
            study.tell(trial.number, value, TrialState.FAIL if value is None else None)
            continue
        # Optuna's public interface can finish a running trial, but not queue it again
        study._storage.set_trial_state_values(trial._trial_id, state)
        unfinished.append(trial.number)
    return unfinished


def enqueue_first(study: optuna.Study, first: list[dict[str, Any]]) -> None:
    """Queue the parameters to try first, except those of a complete or queued trial."""
    complete = study.get_trials(states=[TrialState.COMPLETE])
    queued = study.get_trials(states=[TrialState.WAITING])
    known = [trial.params for trial in complete]
    known += [trial.system_attrs.get("fixed_params", {}) for trial in queued]
    for values in first:
        if not any(values.items() <= params.items() for params in known):
            study.enqueue_trial(values)
