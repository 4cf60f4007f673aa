"""Guards make bench: its scripts and options exist, a failed step does not stop the others."""

from pathlib import Path

import pytest

from benchmarks.bench import STEPS, run_steps
from tuning.system.project import ROOT


@pytest.mark.parametrize("words", [words for _, words in STEPS], ids=lambda words: words[0])
def test_a_step_is_a_script_with_these_options(words: tuple[str, ...]) -> None:
    text = (ROOT / "benchmarks" / words[0]).read_text(encoding="utf-8")
    assert all(f'"{word}"' in text for word in words if word.startswith("--"))


def test_a_failed_step_is_named_and_the_others_run(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.py").write_text("raise SystemExit(3)")
    (tmp_path / "good.py").write_text("import sys; print('ran', sys.argv[1:])")
    steps = [(5, ("bad.py",)), (2, ("good.py", "--data", "FOLDER"))]
    assert run_steps(steps, "pairs", tmp_path) == ["bad.py"]
    told = capfd.readouterr().out
    assert "step 1 of 2: bad.py : about 5 minutes, 7 to the end" in told
    assert "bad.py ended with 3; the other steps go on" in told
    assert "step 2 of 2: good.py --data pairs: about 2 minutes, 2 to the end" in told
    assert "ran ['--data', 'pairs']" in told
    assert told.rstrip().endswith("failed: bad.py")
