"""Guards fitted exponents: true ones are found, noise is not taken for growth."""

import numpy as np
import pytest

from benchmarks.growth import fit_growth, fit_rows

SIZES = [1, 4, 16, 64] * 2


def noisy(values: list[float], share: float = 0.02) -> list[float]:
    """Return values with relative noise."""
    generator = np.random.default_rng(0)
    return [value * (1 + share * generator.standard_normal()) for value in values]


@pytest.mark.parametrize(
    ("power", "verdict"), [(0.5, "yes"), (1.0, "yes"), (1.5, "no"), (2.0, "no")]
)
def test_the_exponent_is_found_beside_a_constant(power: float, verdict: str) -> None:
    exact = [16 + 0.75 * size**power for size in SIZES]
    found = fit_growth(SIZES, exact)
    assert found.exponent == found.low == found.high == pytest.approx(power)
    assert found.constant == pytest.approx(16)
    assert (found.smallest, found.largest) == (exact[0], exact[-1])
    measured = fit_growth(SIZES, noisy(exact, 0.015))
    assert measured.low - 0.01 <= power <= measured.high + 0.01
    assert (found.at_most_linear, measured.at_most_linear) == (verdict, verdict)


def test_the_interval_covers_the_true_exponent_in_most_of_many_rounds() -> None:
    generator = np.random.default_rng(1)
    cost = 16 + 0.75 * np.array(SIZES)
    fits = [
        fit_growth(SIZES, (cost * generator.normal(1, 0.03, len(cost))).tolist())
        for _ in range(40)
    ]
    assert sum(fit.low <= 1 <= fit.high for fit in fits) >= 35


def test_a_cost_that_only_varies_does_not_grow() -> None:
    found = fit_growth(SIZES, noisy([400.0] * len(SIZES)))
    assert not found.grows
    assert found.at_most_linear == "yes"


def test_a_wide_interval_shows_nothing() -> None:
    found = fit_growth([1, 2, 3, 4], [10.0, 12.0, 12.5, 15.5])
    assert found.grows is False or found.at_most_linear == "not shown"
    with pytest.raises(ValueError, match="needs 4 measurements of 3 sizes, got 3"):
        fit_growth([1, 2, 3], [1.0, 2.0, 3.0])


def test_no_work_at_all_gives_the_constant() -> None:
    rows = [{"layers": n, "seconds": 3.0 + 2 * n, "mb": 300.0} for n in (0, 1, 2, 3, 4)]
    found = fit_rows(rows, "layers", ("seconds", "mb"))
    assert found["seconds"].exponent == 1
    assert found["seconds"].constant == pytest.approx(3)
    assert not found["mb"].grows
