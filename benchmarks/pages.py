"""Blocks of measured numbers in README.md and the guides, and the picture of the README.

A block stands between ``<!-- measured: NAME -->`` and ``<!-- end -->``; what is in it comes from
the records in benchmarks/results/ alone. ``python benchmarks/results.py --write`` writes it anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import (
    answer_blocks,
    cluster_blocks,
    cost_blocks,
    default_blocks,
    field_blocks,
    gpu_blocks,
    growth_blocks,
    score_blocks,
    search_blocks,
    start_blocks,
    statistics_blocks,
)
from benchmarks.goals import RECORDS
from benchmarks.picture import draw
from benchmarks.records import RESULTS, read_record
from tuning.system.project import ROOT

PAGES = ("README.md", "docs/results.md", "docs/recovery.md", "benchmarks/README.md",
         "benchmarks/cluster_plan.md")  # fmt: skip
PICTURES = {"docs/table.svg": "grid_embedded"}
NOT_MEASURED = "*Not measured yet.*"
BLOCK = re.compile(r"<!-- measured: (\w+) -->\n(.*?)<!-- end -->", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a page: the function that writes it, from the records of these names.

    Records called ``optional`` are given as None where they are missing.
    """

    write: Callable[..., str]
    records: tuple[str, ...]
    optional: tuple[str, ...] = ()


_ON_GPU = ("rates", "copies", "probabilities", "steps", "assigned_grid", "memory", "processes",
           "repeats", "profile")  # fmt: skip
BLOCKS = {
    **{f"gpu_{name}": Block(getattr(gpu_blocks, name), ("gpu_h200",)) for name in _ON_GPU},
    "gpu_after": Block(gpu_blocks.after, ("gpu_h200", "gpu_h200_after")),
    "grid_embedded": Block(score_blocks.grid, ("grid_embedded",)),
    "grid_parade": Block(score_blocks.grid, ("grid_parade",)),
    "freezing_parade": Block(score_blocks.freezing, ("freezing_parade",)),
    "encodings": Block(score_blocks.encodings, ("encodings_parade", "cosine_parade")),
    "encodings_embedded": Block(
        score_blocks.encodings,
        (
            "encodings_embedded_minilm",
            "cosine_embedded_minilm",
            "encodings_embedded",
            "cosine_embedded",
        ),
    ),
    "choices": Block(score_blocks.choices, ("choices",)),
    "intermediate": Block(default_blocks.intermediate, ("intermediate",)),
    "weight_decay": Block(
        default_blocks.weight_decay, ("weight_decay_all",), ("weight_decay_some",)
    ),
    "folds": Block(default_blocks.folds, ("folds_embedded",), ("folds_parade",)),
    "frozen_pass": Block(cost_blocks.frozen_pass, ("frozen_pass",)),
    "baselines": Block(score_blocks.baselines, ("baselines",)),
    "encoder_effect": Block(score_blocks.encoder_effect, ("encoder_effect",)),
    "encoder_tried": Block(score_blocks.encoder_tried, ("encoder_tried", "encoder_effect")),
    "in_short": Block(
        answer_blocks.in_short, ("search_parade", "champion_parade", "cosine_parade")
    ),
    "search_parade": Block(search_blocks.search, ("search_parade",), ("frozen_pass",)),
    "ablations": Block(search_blocks.ablations_alone, ("champion_parade",)),
    "readme_search": Block(search_blocks.readme_search, ("search_parade", "baselines")),
    "pretraining": Block(cost_blocks.pretraining, ("pretraining",)),
    "driver_limit": Block(cost_blocks.driver_limit, ("driver_limit",)),
    "driver_limit_by_reference": Block(cost_blocks.driver_limit, ("driver_limit_by_reference",)),
    "cluster_driver": Block(cost_blocks.driver_limit, ("driver_limit",)),
    "cluster_load": Block(cluster_blocks.cluster_load, ("driver_limit", "floor")),
    "larger_data": Block(cost_blocks.larger_data, ("larger_data",)),
    "scaling_trials": Block(growth_blocks.scaling_trials, ("scaling",)),
    "scaling_cores": Block(growth_blocks.scaling_cores, ("scaling",)),
    "scaling_pairs": Block(growth_blocks.scaling_pairs, ("scaling",)),
    "scaling_depth": Block(growth_blocks.scaling_depth, ("scaling",)),
    "growth": Block(growth_blocks.growth, ("scaling",)),
    "whole_grid": Block(growth_blocks.whole_grid, ("whole_grid",)),
    "start_up": Block(start_blocks.start_up, ("start_up",)),
    "goals": Block(start_blocks.goals, (), RECORDS),
    "scaling_goals": Block(growth_blocks.scaling_goals, ("scaling",)),
    "faults": Block(cost_blocks.faults, ("faults",)),
    "recovery_faults": Block(cost_blocks.faults_in_words, ("faults",)),
    "against_trainer": Block(cost_blocks.against_trainer, ("against_trainer",)),
    "against_field": Block(field_blocks.against_field, ("against_field",)),
    "floor": Block(cost_blocks.floor, ("floor",)),
    "statistics": Block(statistics_blocks.statistics, ("statistics",)),
    "gap_statistics": Block(statistics_blocks.gap_statistics, ("gap_statistics",)),
    "readme_times": Block(start_blocks.readme_times, ("freezing_parade", "search_parade")),
    "readme_first": Block(cost_blocks.readme_first, ("grid_embedded",)),
    "readme_scores": Block(score_blocks.readme_scores, ("grid_parade", "baselines")),
    "readme_speed": Block(
        cost_blocks.readme_speed, ("against_trainer", "pretraining", "faults", "against_field")
    ),
}


def render(name: str, folder: Path = RESULTS) -> str:
    """Return what a block holds by the records of a folder; a sentence if one is missing.

    Raises:
        KeyError: If there is no block of that name; the message lists those that exist.
    """
    if name not in BLOCKS:
        raise KeyError(f"no block is called {name!r}; those known: {', '.join(BLOCKS)}")
    block = BLOCKS[name]
    records = [read_record(record, folder) for record in block.records]
    if None in records:
        return NOT_MEASURED
    return block.write(*records, *(read_record(record, folder) for record in block.optional))


def fill(text: str, folder: Path = RESULTS) -> str:
    """Return a page with every block written anew from the records of a folder."""
    return BLOCK.sub(
        lambda found: (
            f"<!-- measured: {found[1]} -->\n\n{render(found[1], folder)}\n\n<!-- end -->"
        ),
        text,
    )


def write_pages(root: Path = ROOT, folder: Path = RESULTS) -> list[str]:
    """Write pages and pictures anew from the records of a folder; return those that changed."""
    new = {page: fill((root / page).read_text(encoding="utf-8"), folder) for page in PAGES}
    for picture, name in PICTURES.items():
        if record := read_record(name, folder):
            new[picture] = draw(record)
    changed = []
    for name, text in new.items():
        path = root / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(name)
    return changed
