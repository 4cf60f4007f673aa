"""Guards the watchdog: it kills a running worker that hangs, once, and no other."""

from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray.tune.experiment import Trial

from tuning.execution.watchdog import Watchdog


def trial(name: str, *, status: str = Trial.RUNNING) -> Any:  # noqa: ANN401 - part of Ray's Trial
    return SimpleNamespace(
        trial_id=name,
        custom_trial_name=name,
        status=status,
        temporary_state=SimpleNamespace(ray_actor=f"actor of {name}"),
    )


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    actors: list[str] = []
    monkeypatch.setattr(ray, "kill", actors.append)
    return actors


def test_a_worker_that_hangs_is_killed_once_with_a_reason(killed: list[str]) -> None:
    watchdog = Watchdog(-1.0)  # seconds: every report is already too old
    hanging = trial("01")
    watchdog.note_activity(hanging)
    assert watchdog.end_hanging([hanging]) == [
        "01: its worker reported nothing for -1 seconds and was killed (report_timeout)"
    ]
    assert watchdog.end_hanging([hanging]) == []
    assert killed == ["actor of 01"]


def test_a_worker_that_reported_ended_or_never_started_is_left_alone(killed: list[str]) -> None:
    patient, impatient = Watchdog(60.0), Watchdog(-1.0)
    running, ended = trial("01"), trial("02", status=Trial.TERMINATED)
    patient.note_activity(running)
    impatient.note_activity(ended)
    assert patient.end_hanging([running]) == []
    assert impatient.end_hanging([ended, trial("03")]) == []
    assert killed == []
