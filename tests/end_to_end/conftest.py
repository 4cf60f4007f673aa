"""One run of the smoke experiment that all end-to-end tests read."""

import pytest

from tests.end_to_end.running import Ran, run_smoke


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    ran = run_smoke(tmp_path_factory.mktemp("smoke"), "--set", "freezing=[all, some]")
    assert ran.ended.returncode == 0, ran.ended.stderr
    return ran
