"""Guards two launches at once: one cache, one store, and nothing else between them."""

from pathlib import Path

import pytest

from tests.faults import scenarios
from tests.faults.conftest import Histories
from tests.faults.harness import Harm

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("in_turn")]


def test_two_launches_at_once_do_not_disturb_each_other(
    tmp_path: Path, expected: Histories
) -> None:
    assert scenarios.two_at_once(tmp_path, expected) == Harm()
