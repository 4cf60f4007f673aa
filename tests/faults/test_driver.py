"""Guards launches that are killed: they come to what they would have come to."""

from pathlib import Path

import pytest

from tests.faults import scenarios
from tests.faults.conftest import Histories
from tests.faults.harness import Harm

pytestmark = pytest.mark.slow
SPOILED = (
    "smoke-*/journal.jsonl",
    "smoke-*/delivered.json",
    "smoke-*/states/*.state",
    "activations/*.safetensors",
    "smoke-*/*/checkpoint_*/model/classifier.safetensors",
)


def test_a_driver_that_is_killed_twice_and_finds_damaged_files_loses_nothing(
    tmp_path: Path, expected: Histories
) -> None:
    assert scenarios.driver_killed(tmp_path, expected, 2, 5, SPOILED) == Harm()
