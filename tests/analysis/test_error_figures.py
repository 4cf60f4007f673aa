"""Guards the attention maps: two examples share a page, and the word pieces can be told apart."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from analysis.error_figures import plot_attention


@pytest.mark.parametrize(("down", "tallest"), [(8, 2.0), (20, 2.61), (30, 3.5)])
def test_rows_of_a_map_are_low_and_their_labels_do_not_overlap(down: int, tallest: float) -> None:
    across = down + 3
    found = {
        "tokens": ["gauss"] * (down + across),
        "segments": [2] * down + [3] * across,
        "weights": np.linspace(0, 1, down * across).reshape(down, across).tolist(),
    }
    figure = plot_attention(found)
    assert figure.get_size_inches()[1] <= tallest
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    labels = figure.axes[0].get_yticklabels()
    assert len(labels) == down
    boxes = [label.get_window_extent(renderer) for label in labels]
    for one, other in pairwise(boxes):
        assert one.y0 > other.y1 or not one.overlaps(other)
