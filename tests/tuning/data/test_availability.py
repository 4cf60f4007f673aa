"""Guards what is foretold of ``auto``: by caches and packages, without a request."""

from pathlib import Path

import pytest

from tests.tuning.data.conftest import Host
from tuning.data import availability, parade
from tuning.data.availability import check_data, check_encoder
from tuning.data.packaged_encoder import PackageError
from tuning.data.sources import DEFAULT_ENCODER, DataLocations


def put_parade(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write three empty files, whose checksums replace those of PARADE."""
    nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    monkeypatch.setattr(parade, "SHA256", dict.fromkeys(parade.SHA256, nothing))
    monkeypatch.setattr(parade.find_altered, "__defaults__", (tuple(parade.SHA256),))
    folder.mkdir(parents=True)
    for name in parade.SHA256:
        (folder / name).touch()


def test_data_that_is_nowhere_would_be_downloaded_and_no_request_is_made(
    host: Host, tmp_path: Path
) -> None:
    found = check_data(DataLocations(cache=tmp_path, parade_url=host.url))
    assert found.text.startswith("auto downloads parade, which the cache lacks; without a network")
    assert "set PARADE_DIR" in found.way_out
    assert not found.stops
    assert not host.requests
    assert not list(tmp_path.iterdir())


def test_data_in_the_cache_is_found_unless_it_was_altered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "parade" / parade.COMMIT
    put_parade(folder, monkeypatch)
    locations = DataLocations(cache=tmp_path)
    assert check_data(locations).text == f"auto is parade, from the cache ({folder})"
    (folder / "PARADE_test.txt").write_text("altered")
    assert check_data(locations).text.startswith("auto downloads parade")


def test_a_folder_that_the_environment_names_comes_first_and_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "PARADE_train.txt").touch()
    found = check_data(DataLocations(cache=tmp_path / "cache", parade_folder=tmp_path))
    assert found.text == f"auto is parade, from PARADE_DIR ({tmp_path})"
    gone = check_data(DataLocations(cache=tmp_path, parade_folder=tmp_path / "gone"))
    assert gone.stops
    assert gone.text == f"PARADE_DIR: {tmp_path / 'gone'}: no such folder"
    assert gone.way_out


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the hub's cache be empty."""
    monkeypatch.setattr(availability, "find_cached_encoder", lambda name: None)


def test_an_encoder_in_the_hubs_cache_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(availability, "find_cached_encoder", lambda name: tmp_path)
    assert check_encoder().text == f"auto is {DEFAULT_ENCODER}, from the hub's cache"


@pytest.mark.usefixtures("no_hub")
def test_the_package_is_next() -> None:
    found = check_encoder()
    assert found.text.startswith(f"auto asks the hub for {DEFAULT_ENCODER}, which the cache lacks")
    assert "without it auto is minilm" in found.text
    assert not found.way_out


@pytest.mark.usefixtures("no_hub")
def test_a_package_that_was_altered_is_passed_over_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def altered() -> Path:
        raise PackageError("a file of the package was altered: pip install --force-reinstall")

    monkeypatch.setattr(availability, "find_packaged_encoder", altered)
    found = check_encoder()
    assert "without it auto is embedded" in found.text
    assert found.way_out.startswith("minilm: a file of the package was altered: pip install")
    assert not found.stops
