"""Guards launches on a disk that fills up."""

from pathlib import Path

import pytest

from tests.faults import store_scenarios
from tests.faults.conftest import Histories
from tests.faults.harness import Harm
from tests.faults.stores import can_mount

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("in_turn")]


def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path, expected: Histories) -> None:
    if not can_mount(tmp_path):
        pytest.skip("needs the right to mount a small disk")
    assert store_scenarios.disk_full(tmp_path, expected, 0.75) == Harm()
