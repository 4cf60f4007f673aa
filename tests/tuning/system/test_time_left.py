"""Guards the time that is left: by hand, with tasks of unequal length, several at a time."""

import pytest

from tuning.system.time_left import TimeLeft, about, exactly


class Clock:
    """A clock that stands still until it is set."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_nothing_is_said_before_a_step_was_done() -> None:
    left = TimeLeft({"a": 4.0}, 1)
    assert left.seconds is None
    left.start("a", 4, 1.0)
    assert left.seconds is None


def test_what_was_planned_is_scaled_by_what_the_steps_took() -> None:
    left = TimeLeft({"short": 4.0, "long": 40.0}, 2)
    left.start("short", 4, 1.0)
    left.step("short", 1, 3.0)  # three times as long as planned
    assert left.seconds == pytest.approx(3 * 3.0 + 3 * 40)


def test_what_tasks_need_beside_their_steps_is_learned_from_those_that_ended() -> None:
    clock = Clock()
    left = TimeLeft({"a": 2.0, "b": 2.0, "c": 2.0}, 3, end=1.0, clock=clock)
    left.start("a", 2, 1.0)
    left.step("a", 2, 2.0)
    assert left.seconds == pytest.approx(1 + 2 * (1 + 2))
    clock.now += 7  # five of them beside the steps
    left.finish("a")
    assert left.seconds == pytest.approx(2 * (5 + 2))


def test_tasks_share_the_machine() -> None:
    left = TimeLeft({"a": 6.0, "b": 2.0, "c": 2.0, "d": 3.0}, 4, at_a_time=2)
    left.start("a", 6, 1.0)
    left.start("b", 2, 1.0)
    left.step("a", 1, 1.0)
    left.step("b", 1, 1.0)
    assert left.seconds == pytest.approx(6.0)  # a: 5; b, c and d one after another: 1 + 2 + 3


def test_the_last_task_alone_counts_in_full() -> None:
    left = TimeLeft({}, 1, at_a_time=8)
    left.start("a", 9, 1.0)
    left.step("a", 3, 3.0)
    assert left.seconds == pytest.approx(6.0)


def test_tasks_of_unknown_length_count_as_the_others_do() -> None:
    clock = Clock()
    left = TimeLeft({}, 4, clock=clock)
    for name, seconds in (("a", 1.0), ("b", 3.0)):
        left.start(name, 2, seconds)
        left.step(name, 2, 2 * seconds)
        clock.now += 2 * seconds
        left.finish(name)
    assert left.seconds == pytest.approx(2 * 4.0)


def test_tasks_that_end_early_shorten_what_is_expected_of_the_others() -> None:
    clock = Clock()
    left = TimeLeft({}, 3, clock=clock)
    left.start("a", 10, 1.0)
    left.step("a", 2, 2.0)
    clock.now += 2
    left.finish("a")
    assert left.seconds == pytest.approx(2 * 2.0)


def test_a_step_that_is_told_again_after_a_restart_counts_once() -> None:
    left = TimeLeft({}, 1)
    left.start("a", 4, 1.0)
    for _ in range(2):
        left.start("a", 4, 1.0)
        left.step("a", 1, 5.0)
    assert left.seconds == pytest.approx(15.0)


def test_nothing_is_left_after_the_last() -> None:
    left = TimeLeft({"a": 1.0}, 1)
    left.start("a", 1, 1.0)
    left.step("a", 1, 1.0)
    left.finish("a")
    left.finish("of another stage")
    assert left.seconds == 0


@pytest.mark.parametrize(
    ("seconds", "words", "exact"),
    [
        (3.2, "a few seconds", "3 seconds"),
        (44.0, "about 40 seconds", "44 seconds"),
        (119.6, "about 2 minutes", "2 min 0 s"),
        (5390.0, "about 90 minutes", "1 h 29 min 50 s"),
        (9000.0, "about 2.5 hours", "2 h 30 min 0 s"),
    ],
)
def test_a_duration_is_told_in_fitting_units(seconds: float, words: str, exact: str) -> None:
    assert about(seconds) == words
    assert exactly(seconds) == exact


def test_a_task_that_fails_before_it_is_said_to_have_started_takes_no_more_time() -> None:
    left = TimeLeft({"a": 4.0, "b": 4.0}, 2)
    left.start("b", 4, 1.0)
    left.step("b", 1, 1.0)
    left.finish("a")
    assert left.seconds == pytest.approx(3.0)
