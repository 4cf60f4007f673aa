"""Guards the comparison of encoders: gains are paired by seed, with the interval of Student."""

import math

import pytest

from benchmarks.encoder_effect import METRICS, Scores, gain, show


def test_the_gain_is_of_pairs_with_a_t_interval() -> None:
    mean, low, high = gain([0.8, 0.9, 0.7], [0.7, 0.8, 0.63])  # differences .1, .1, .07
    assert mean == pytest.approx(0.09)
    reach = 4.302653 * math.sqrt(0.0003) / math.sqrt(3)
    assert (low, high) == pytest.approx((0.09 - reach, 0.09 + reach))


def scores_of(*values: float) -> Scores:
    return {freezing: {name: [*values] for name in METRICS} for freezing in ("all", "none")}


def test_the_table_has_each_encoder_frozen_and_trained() -> None:
    table = show({"scratch": scores_of(0.5, 0.7), "embedded": scores_of(0.6, 0.8)})
    columns = [[str(cell) for cell in column.cells] for column in table.columns]
    assert columns[0] == ["frozen", "frozen", "trained", "trained"]
    assert columns[2][:2] == ["0.600 ± 0.141", "0.700 ± 0.141"]
    assert columns[-1][0] == ""
    assert columns[-1][1].startswith("+0.100 [+0.100")
