"""Guards the figure on an encoder's card: two curves for each phase, and none without training."""

import numpy as np

from tuning.pretraining.publishing import plot_curve


def test_each_phase_has_a_held_out_and_a_training_curve() -> None:
    points = [
        {"phase": phase, "tokens": 2e6, "heldout_loss": 4.0, "train_loss": 5.0}
        for phase in ("corpus", "corpus", "adaptation")
    ]
    lines = [np.asarray(line.get_xydata()) for line in plot_curve(points).axes[0].get_lines()]
    assert [len(line) for line in lines] == [2, 2, 1, 1]
    np.testing.assert_array_equal(lines[2], [[6.0, 4.0]])


def test_an_encoder_that_was_not_trained_has_an_empty_figure() -> None:
    assert not plot_curve([]).axes[0].get_lines()  # and no warning, which would be an error
