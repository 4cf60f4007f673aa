"""The Optuna study of a search: opened, compared, warm-started, and put right after a crash."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from measures.passwords import first_line, hide_passwords
from tuning.system.sqlite_lock import lock_sqlite
from tuning.tracking.resume import differences, plain

logger = logging.getLogger(__name__)


class StudyError(OSError):
    """A study that cannot be used; the message says which, why, and the way out."""


def open_storage(url: str) -> RDBStorage:
    """Return the storage at an RDB URL; a SQLite file is made if it does not exist.

    Two that open a new file at once would both make its tables, so that they take turns.

    Raises:
        StudyError: If it cannot be reached or is no storage of Optuna's.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # else each new study is a line
    wait = {"connect_args": {"timeout": 60}} if url.startswith("sqlite:") else None
    try:
        with lock_sqlite(url):
            return RDBStorage(url, engine_kwargs=wait)
    except (SQLAlchemyError, RuntimeError, ImportError, ValueError, OSError) as error:
        reason = first_line(error)
        raise StudyError(
            f"storage: {hide_passwords(url)} cannot be used: {reason}; --storage names another, "
            "as sqlite:////absolute/path.db"
        ) from error


def load_study(storage: RDBStorage, name: str, identity: Mapping[str, Any]) -> optuna.Study:
    """Return the study of that name, made if it does not exist.

    Args:
        storage: From ``open_storage``.
        name: Of the study.
        identity: What all trials of a study must have in common, as JSON values.

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
            "--set search.study=NAME, or go back to what the study was made with"
        )
    return study


def trials_of(study: optuna.Study, launch: str) -> list[FrozenTrial]:
    """Return the trials that a launch drew, in their order."""
    return [trial for trial in study.get_trials() if trial.user_attrs.get("launch") == launch]


def waiting(study: optuna.Study) -> list[int]:
    """Return the numbers of the trials that are to run next."""
    return [t.number for t in study.get_trials(states=[TrialState.WAITING])]


def close_stale(
    study: optuna.Study, launch: str, values: Mapping[int, float], *, requeue: bool = True
) -> list[int]:
    """Put right the trials that a launch left running; return those without a value.

    A trial with a value is complete. One without waits to be run, as the same trial with the same
    parameters, or has failed.

    Args:
        study: The study.
        launch: Id of the launch that is resumed.
        values: What finished trials reached, by number, as the log has it.
        requeue: Whether trials without a value are to run.
    """
    again = []
    state = TrialState.WAITING if requeue else TrialState.FAIL
    for trial in trials_of(study, launch):
        if trial.state != TrialState.RUNNING:
            continue
        if trial.number in values:
            study.tell(trial.number, values[trial.number])
            continue
        # the study itself can only finish trials
        study._storage.set_trial_state_values(trial._trial_id, state)
        again.append(trial.number)
    return again


def enqueue_first(study: optuna.Study, first: list[dict[str, Any]]) -> None:
    """Queue the values to begin with, but for those that a trial had, or that wait already."""
    known = [t.params for t in study.get_trials() if t.state == TrialState.COMPLETE]
    queued = study.get_trials(states=[TrialState.WAITING])
    known += [t.system_attrs.get("fixed_params", {}) for t in queued]
    for values in first:
        if not any(values.items() <= params.items() for params in known):
            study.enqueue_trial(values)
