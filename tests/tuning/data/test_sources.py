"""Guards sources: the real data and encoder, the embedded ones with a notice, or an error."""

import hashlib
from pathlib import Path

import pytest

from tests.tuning.conftest import COMMIT, Host, body, status
from tuning.config.experiment import Cleaning
from tuning.data import parade
from tuning.data.pairs import read_pairs
from tuning.data.sources import DataLocations, SourceError, find_data, find_encoder, read_locations
from tuning.download.packaged_encoder import find_packaged_encoder
from tuning.system.project import EMBEDDED

PUBLISHED = Path(__file__).resolve().parents[4] / "shared/parade"


@pytest.fixture
def small_parade(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Return three small files whose checksums replace those of PARADE."""
    files = {name: f"content of {name}".encode() for name in parade.SHA256}
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    monkeypatch.setattr(parade, "SHA256", sums)
    return files


@pytest.mark.parametrize("requested", ["auto", "parade"])
def test_parade_is_downloaded_once_and_then_found_in_the_cache(
    host: Host, tmp_path: Path, small_parade: dict[str, bytes], requested: str
) -> None:
    for name, content in small_parade.items():
        host.answers[f"/{name}"] = body(content)
    locations = DataLocations(cache=tmp_path, parade_url=host.url)
    found = [find_data(requested, locations, strict=True) for _ in range(2)]
    assert found[0] == found[1]
    assert (found[0].name, found[0].revision, found[0].notice) == ("parade", parade.COMMIT, None)
    assert len(host.requests) == 3


def test_a_damaged_file_in_the_cache_is_downloaded_again(
    host: Host, tmp_path: Path, small_parade: dict[str, bytes]
) -> None:
    for name, content in small_parade.items():
        host.answers[f"/{name}"] = body(content)
    locations = DataLocations(cache=tmp_path, parade_url=host.url)
    folder = find_data("parade", locations).folder
    (folder / "PARADE_test.txt").write_bytes(b"damaged")
    find_data("parade", locations)
    assert (folder / "PARADE_test.txt").read_bytes() == small_parade["PARADE_test.txt"]


def test_auto_falls_back_to_the_embedded_pairs_and_says_why(host: Host, tmp_path: Path) -> None:
    host.answers["/PARADE_train.txt"] = status(500)
    found = find_data("auto", DataLocations(cache=tmp_path, parade_url=host.url))
    assert found.folder == EMBEDDED / "pairs"
    assert found.notice == (
        "PARADE is unavailable: 127.0.0.1 has a fault of its own (HTTP 500): try again later; "
        "the embedded pairs stand in for it"
    )
    assert f"{host.url}/PARADE_train.txt" in str(found.detail)


@pytest.mark.parametrize(("requested", "strict"), [("auto", True), ("parade", False)])
def test_data_that_must_be_real_is_an_error_if_it_is_unavailable(
    host: Host, tmp_path: Path, requested: str, strict: bool
) -> None:
    locations = DataLocations(cache=tmp_path, parade_url=host.url)
    with pytest.raises(SourceError, match=r"\(HTTP 404\); with its three files in a") as caught:
        find_data(requested, locations, strict=strict)
    assert f"{host.url}/PARADE_train.txt" in str(caught.value.detail)


def test_a_folder_of_parade_wins_over_cache_and_network(tmp_path: Path) -> None:
    (tmp_path / "PARADE_test.txt").write_text("x")
    found = find_data("auto", DataLocations(cache=tmp_path / "none", parade_folder=tmp_path))
    assert (found.name, found.folder) == ("parade", tmp_path)


def test_a_folder_named_by_the_environment_must_exist(tmp_path: Path) -> None:
    locations = DataLocations(cache=tmp_path, parade_folder=tmp_path / "absent")
    with pytest.raises(SourceError, match=r"PARADE_DIR: .*absent: no such folder"):
        find_data("auto", locations)


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="data: nowhere: no such folder; give a folder, parade"):
        find_data("nowhere", DataLocations(cache=tmp_path))


def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("first\tsecond\tlabel\n")
    with pytest.raises(
        SourceError, match=r"data: .*pairs\.tsv: is a file; .* tuning.data.split parts"
    ):
        find_data(str(path), DataLocations(cache=tmp_path))
    with pytest.raises(SourceError, match=r"PARADE_DIR: .*pairs\.tsv: is a file; give the folder"):
        find_data("auto", DataLocations(cache=tmp_path, parade_folder=path))


def test_a_folder_bears_its_own_name(tmp_path: Path) -> None:
    assert find_data(str(tmp_path), DataLocations(cache=tmp_path)).name == tmp_path.name
    assert find_encoder(str(tmp_path)).name == tmp_path.name


def test_without_a_home_folder_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)  # it raises a KeyError too
    with pytest.raises(SourceError, match="has no home folder; set XDG_CACHE_HOME to a folder"):
        read_locations()
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert read_locations().cache == Path("/caches/paraphrase-tuner")


@pytest.mark.parametrize("requested", ["./absent", "/absent/folder", "a/b/c"])
def test_a_path_is_not_looked_for_on_the_hub(requested: str) -> None:
    with pytest.raises(SourceError, match=f"encoder: {requested}: no such folder"):
        find_encoder(requested)


def test_auto_is_no_folder_of_that_name(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = cache / "models--distilbert-base-uncased"
    snapshot = published / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (snapshot / name).touch()
    (published / "refs").mkdir()
    (published / "refs/main").write_text(COMMIT)
    (tmp_path / "auto").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_encoder("auto").folder == snapshot


@pytest.fixture
def no_hub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the hub at a port where nobody listens, with an empty cache."""
    assert not cache.exists()
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")


@pytest.mark.usefixtures("no_hub")
@pytest.mark.slow
def test_auto_falls_back_to_the_packaged_encoder_and_says_why() -> None:
    found = find_encoder("auto")
    assert found.folder == find_packaged_encoder()
    assert found.notice is not None
    assert found.notice.startswith(
        "distilbert-base-uncased is unavailable: the Hugging Face hub at 127.0.0.1 refuses the"
    )
    assert found.notice.endswith(
        "; minilm (sentence-transformers/all-MiniLM-L6-v2) stands in for it"
    )
    assert "ConnectError" in str(found.detail)
    assert "ConnectError" not in found.notice


@pytest.mark.usefixtures("no_hub")
@pytest.mark.slow
@pytest.mark.parametrize(("requested", "strict"), [("auto", True), ("somebody/small", False)])
def test_an_encoder_that_must_be_real_is_an_error(requested: str, strict: bool) -> None:
    with pytest.raises(SourceError, match="with its files in a folder, give its path") as caught:
        find_encoder(requested, strict=strict)
    assert "ConnectError" in str(caught.value.detail)


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published files are not here")
def test_the_published_files_pass_from_the_host_to_verified_pairs(
    host: Host, tmp_path: Path
) -> None:
    for name in parade.SHA256:
        host.answers[f"/{name}"] = body((PUBLISHED / name).read_bytes())
    found = find_data("parade", DataLocations(cache=tmp_path, parade_url=host.url))
    data = read_pairs(found.folder, Cleaning())
    assert [len(table.first) for table in data.splits.values()] == [7550, 1275, 1357]
    for table in data.splits.values():
        assert ((table.votes > 0.5) == (table.labels == 1)).all()


def test_a_tilde_is_the_home_folder_and_an_empty_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv("PARADE_DIR", "~/mine")
    monkeypatch.setenv("XDG_CACHE_HOME", "~/cache")
    locations = read_locations()
    assert locations.cache == tmp_path / "cache/paraphrase-tuner"
    assert locations.parade_folder == tmp_path / "mine"
    assert find_data("~/mine", locations).folder == tmp_path / "mine"
    assert find_encoder("~/mine").folder == tmp_path / "mine"
    with pytest.raises(SourceError, match="data: must not be empty"):
        find_data("", locations)
    with pytest.raises(SourceError, match="encoder: ~nobody-here: there is no such home folder"):
        find_encoder("~nobody-here")
