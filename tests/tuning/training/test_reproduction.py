"""Guards reproduction: a classifier's scores do not depend on which were recomputed before."""

import json
from pathlib import Path
from typing import Any

from models.checkpoint import CARD
from tests.models.untrained import save
from tuning.config.experiment import Cleaning
from tuning.data.pairs import read_pairs
from tuning.data.sources import DataLocations
from tuning.training.reproduction import Reproducer


def make_pairs(folder: Path) -> Path:
    """Write twelve pairs a split, whose second texts are longer than eight tokens."""
    folder.mkdir()
    for number, split in enumerate(("train", "validation", "test")):
        rows = [
            f"w{n} w{number}\t{' '.join(f'w{(n * k + number) % 30}' for k in range(9))}\t{n % 2}"
            for n in range(12)
        ]
        (folder / f"{split}.tsv").write_text("\n".join(["first\tsecond\tlabel", *rows]) + "\n")
    return folder


def complete_card(saved: Path, data: Path) -> None:
    """Add to the card of an untrained classifier what the card of a trial has as well."""
    card = json.loads((saved / CARD).read_text())
    fingerprint = read_pairs(data, Cleaning()).fingerprint
    places = {"name": "own", "folder": str(data), "fingerprint": fingerprint, "both_orders": False}
    card["data"] |= places
    card["trial"]["overlap_features"] = True
    (saved / CARD).write_text(json.dumps({**card, "cached": True}))


def test_classifiers_that_differ_in_their_inputs_are_recomputed_each_with_its_own(
    distilbert: Path, tmp_path: Path
) -> None:
    data = make_pairs(tmp_path / "pairs")
    variants: list[dict[str, Any]] = [
        {}, {"max_tokens": 8}, {"separate": True}, {"separate": True, "max_tokens": 8},
        {"separate": True, "cosine": False}, {"layer_mean": True},
    ]  # fmt: skip
    locations = DataLocations(cache=tmp_path)
    shared, found = Reproducer(locations=locations), []
    for number, variant in enumerate(variants):
        saved = save(tmp_path / str(number), distilbert, depth=3, branch=True, **variant)
        complete_card(saved, data)
        recomputed = shared.check(saved, distilbert, {}).recomputed
        alone = Reproducer(locations=locations).check(saved, distilbert, {}).recomputed
        assert recomputed == alone
        found.append(recomputed["test_loss"])
    assert len(set(found)) == len(found)
