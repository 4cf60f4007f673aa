"""Guards the work folder of a pretraining: nothing is overwritten or resumed unasked."""

from dataclasses import replace
from pathlib import Path

import pytest

from tuning.pretraining.plan import PretrainingOptions
from tuning.pretraining.session import _choose_folder, resume_hint, work_folder
from tuning.tracking.launch_folder import LaunchError


@pytest.fixture
def options(tmp_path: Path) -> PretrainingOptions:
    return PretrainingOptions(
        corpus=[],
        heldout=[],
        init="embedded",
        adapt=None,
        config=None,
        overrides=[],
        output=tmp_path / "made",
        tracking_uri="sqlite://",
        artifacts=tmp_path,
        cache=tmp_path,
        resume=False,
        overwrite=False,
    )


def test_a_new_training_gets_a_folder_beside_its_output(options: PretrainingOptions) -> None:
    settings = _choose_folder(options)
    assert settings.folder == work_folder(options.output)
    assert settings.folder.is_dir()
    assert not options.output.exists()


def test_an_interrupted_training_is_neither_resumed_nor_removed_unasked(
    options: PretrainingOptions,
) -> None:
    folder = _choose_folder(options).folder
    (folder / "state").write_bytes(b"kept")
    with pytest.raises(LaunchError, match=r"interrupted training; --resume continues.*--overwr"):
        _choose_folder(options)
    assert _choose_folder(replace(options, resume=True)).resumed
    assert (folder / "state").read_bytes() == b"kept"
    assert "to resume: python" in resume_hint(options)
    _choose_folder(replace(options, overwrite=True))
    assert not (folder / "state").exists()
    assert "nothing to resume" in resume_hint(options)


def test_an_absent_training_is_not_resumed(options: PretrainingOptions) -> None:
    with pytest.raises(LaunchError, match=r"made\.under-way does not exist"):
        _choose_folder(replace(options, resume=True))


def test_an_output_that_holds_files_is_refused(options: PretrainingOptions) -> None:
    options.output.mkdir()
    _choose_folder(options)  # an empty folder may be used
    (options.output / "mine.txt").write_text("keep")
    with pytest.raises(LaunchError, match="made is in use; name another folder, or remove it"):
        _choose_folder(replace(options, overwrite=True))
    with pytest.raises(LaunchError, match="--output: must be a new folder, got /"):
        _choose_folder(replace(options, output=Path("/")))
