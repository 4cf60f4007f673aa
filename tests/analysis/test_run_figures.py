"""Guards figures: labels and numbers do not overlap or run off, rows keep off the frame."""

from itertools import combinations, pairwise, product

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from analysis import data_figures, run_figures
from measures.objective import FLAGS


@pytest.mark.parametrize(("modes", "rates"), [(1, 3), (2, 3), (2, 7), (4, 2)])
def test_labels_of_the_heat_map_do_not_overlap(modes: int, rates: int) -> None:
    cells = product(["all", "some", "2", "none"][:modes], ["adamw", "sgd"], range(rates))
    grid = pd.DataFrame(list(cells), columns=["freezing", "optimizer", "learning_rate"])
    grid["learning_rate"] = 10.0 ** -grid["learning_rate"]
    flags = list(FLAGS.values())
    grid["flag"] = [flags[number % len(flags)] for number in range(len(grid))]
    for name in ("test_accuracy", "test_f1"):
        grid[name] = grid[f"{name}_at_threshold"] = np.linspace(0, 1, len(grid))
    figure = run_figures.plot_grid(grid)
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    for axis in figure.axes:
        labels = [*axis.texts, *axis.get_xticklabels()]
        boxes = [label.get_window_extent(renderer) for label in labels]
        for one, other in combinations(boxes, 2):
            assert not one.overlaps(other)
        assert axis.xaxis.label.get_window_extent(renderer).y0 >= 0


def test_a_cell_of_the_heat_map_leads_with_the_score_at_the_threshold() -> None:
    grid = pd.DataFrame(
        {"freezing": "all", "optimizer": ["adamw", "sgd"], "learning_rate": [0.1, 0.01],
         "test_f1_at_threshold": [0.75, 0.5], "test_f1": [0.25, 0.625], "flag": ["", "collapsed"],
         "test_accuracy_at_threshold": 0.5, "test_accuracy": 0.5}
    )  # fmt: skip
    _, axis = run_figures.plot_grid(grid).axes
    texts = {text.get_text() for text in axis.texts} - {""}  # of cells that were not tried
    assert texts == {".750 (.250)", ".500 (.625)\ncollapsed"}


def test_the_numbers_below_a_small_gap_do_not_run_together() -> None:
    chosen = pd.DataFrame({"freezing": ["some"], "val_f1": [0.7473], "test_f1": [0.7527]})
    figure = run_figures.plot_optimism(chosen)
    FigureCanvasAgg(figure).draw()
    (axis,) = figure.axes
    left, right = axis.get_window_extent().intervalx
    boxes = [label.get_window_extent() for label in axis.get_xticklabels()]
    shown = [box for box in boxes if left <= (box.x0 + box.x1) / 2 <= right]
    assert len(shown) > 1
    assert all(one.x1 + one.height / 2 < other.x0 for one, other in pairwise(shown))


@pytest.mark.parametrize("count", [1, 3])
def test_rows_of_differences_stand_apart_from_the_frame(count: int) -> None:
    table = pd.DataFrame(
        {"model": ["a"] * count, "other": ["b"] * count, "f1": 0.01, "f1_low": -0.01,
         "f1_high": 0.02, "f1_p_holm": 0.5}
    )  # fmt: skip
    (axis,) = run_figures.plot_differences(table, "at 0.5").axes
    low, high = axis.get_ylim()
    assert (low, high) == (count - 0.5, -0.5)


@pytest.mark.parametrize("pieces", ["per pair", "of the longer text"])
def test_the_name_of_an_axis_is_not_cut_off(pieces: str) -> None:
    lengths = pd.DataFrame({"split": ["train", "validation", "test"], "words": 9, "pieces": 12})
    figure = data_figures.plot_lengths(lengths, 512, pieces)
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    for axis in figure.axes:
        assert axis.xaxis.label.get_window_extent(renderer).x1 <= figure.bbox.x1
