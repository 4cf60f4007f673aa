"""Guards the comparison: both sides run the same cells and give scores and times."""

from pathlib import Path

import pytest

from benchmarks.against_trainer import Compared, Size, run_ours, run_theirs, show
from benchmarks.inputs import sample_pairs
from benchmarks.launches import CommandError, watch
from tests.end_to_end.running import small_encoder

pytestmark = pytest.mark.slow


@pytest.mark.usefixtures("in_turn")
def test_both_sides_run_and_are_compared(
    tmp_path: Path,
) -> None:
    data = sample_pairs("embedded", tmp_path / "data", train=48, others=24)
    compared = Compared(frozen=3, size=Size(train=48, validation=24, epochs=1))
    encoder = small_encoder(tmp_path)
    run_ours(compared, data, encoder, tmp_path / "ours")
    run_theirs(compared, data, encoder, tmp_path / "theirs", "sdpa")
    assert compared.ratio == compared.theirs[0] / compared.ours[0] > 0
    assert 0 < compared.first_step[0] < compared.ours[0]
    assert compared.training[0] > 0
    for score in (*compared.our_f1, *compared.their_f1):
        assert 0.5 < score <= 1
    (row,) = zip(*(column.cells for column in show([compared]).columns), strict=True)
    assert row[:4] == ("3 of 6", "48 + 24", "1", "1")


def test_a_command_that_fails_is_told_with_what_it_printed(tmp_path: Path) -> None:
    words = ["python3", "-c", "import sys; sys.exit('no such thing')"]
    with pytest.raises(CommandError, match=r"exit code 1\n(.|\n)*no such thing"):
        watch(words, tmp_path)
