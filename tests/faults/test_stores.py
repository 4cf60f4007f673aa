"""Guards launches whose log is away, whose worker dies, and that the user interrupts."""

from pathlib import Path

import pytest

from tests.faults import store_scenarios
from tests.faults.conftest import Histories
from tests.faults.harness import Harm

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("in_turn", "shared_states")]


def test_a_killed_worker_a_stopped_store_and_ctrl_c_lose_nothing(
    tmp_path: Path, expected: Histories
) -> None:
    assert store_scenarios.store_stopped_and_interrupted(tmp_path, expected) == Harm()
