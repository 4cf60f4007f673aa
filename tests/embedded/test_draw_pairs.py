"""Guards the embedded pairs: as drawn by their script, balanced, split by term, none twice."""

import subprocess
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path

import pandas as pd
import pytest

from tuning.system.project import EMBEDDED

TERMS = {"train": 100, "validation": 20, "test": 30}


def pairs_of(split: str) -> pd.DataFrame:
    return pd.read_csv(EMBEDDED / "pairs" / f"{split}.tsv", sep="\t", quoting=3)


def test_the_script_draws_the_pairs_that_ship(tmp_path: Path) -> None:
    subprocess.run([sys.executable, EMBEDDED / "draw_pairs.py", tmp_path], check=True)
    for split in TERMS:
        shipped = EMBEDDED / "pairs" / f"{split}.tsv"
        assert (tmp_path / shipped.name).read_bytes() == shipped.read_bytes()


@pytest.mark.parametrize("split", sorted(TERMS))
def test_each_term_has_six_paraphrases_and_four_pairs_of_either_other_kind(split: str) -> None:
    definitions = pd.read_json(EMBEDDED / "pairs/definitions.jsonl", lines=True)
    term_of = dict(zip(definitions.definition, definitions.term, strict=True))
    aspect_of = dict(zip(definitions.definition, definitions.aspect, strict=True))
    kinds: Counter[tuple[str, str]] = Counter()
    for term, first, second, label in pairs_of(split).itertuples(index=False):
        assert term in (term_of[first], term_of[second])
        same_term = term_of[first] == term_of[second]
        same_aspect = same_term and aspect_of[first] == aspect_of[second]
        assert label == same_aspect
        kinds[term, "same" if same_aspect else "aspects" if same_term else "terms"] += 1
    assert len({term for term, _ in kinds}) == TERMS[split]
    assert {kind: count for (_, kind), count in kinds.items()} == {
        "same": 6, "aspects": 4, "terms": 4
    }  # fmt: skip
    assert set(kinds.values()) == {4, 6}


@pytest.mark.parametrize("split", sorted(TERMS))
def test_no_pair_is_there_twice_in_either_order(split: str) -> None:
    pairs = pairs_of(split)
    assert len(
        {frozenset(pair) for pair in zip(pairs["first"], pairs["second"], strict=True)}
    ) == len(pairs)


def test_splits_share_neither_terms_nor_definitions() -> None:
    for one, other in combinations(map(pairs_of, TERMS), 2):
        assert not set(one.term) & set(other.term)
        texts = [set(split["first"]) | set(split["second"]) for split in (one, other)]
        assert not texts[0] & texts[1]
