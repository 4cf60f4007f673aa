"""Guards the share of a GPU that a trial gets: trials side by side fit into its memory."""

from hypothesis import given
from hypothesis import strategies as st

from tuning.training.gpu_memory import gpu_share

GIB = 2**30


@given(peak=st.integers(2**20, 100 * GIB), total=st.integers(4 * GIB, 200 * GIB))
def test_trials_side_by_side_fit_or_a_trial_has_the_card_alone(peak: int, total: int) -> None:
    share = gpu_share(peak, total)
    side_by_side = round(1 / share)
    assert side_by_side == 1 or side_by_side * peak < total


def test_a_small_trial_gets_a_small_share() -> None:
    assert gpu_share(1 * GIB, 80 * GIB) == 1 / 43
