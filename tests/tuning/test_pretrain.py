"""Guards the order of pretraining's checks: the folder first, the text after it."""

import sys
from pathlib import Path

import pytest

from tuning.pretrain import main


def test_what_cannot_be_resumed_is_refused_before_the_text_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["pretrain.py", "--corpus", str(tmp_path / "absent.txt"), "--output"]
    monkeypatch.setattr(sys, "argv", [*words, str(tmp_path / "made"), "--resume"])
    assert main() == 2
    said = capsys.readouterr().err
    assert "made.under-way does not exist, there is no training to resume" in said
    assert "absent.txt" not in said
