"""Guards storage paths: files complete or absent, by path and by URI."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.servers import s3
from tuning.system.atomic_files import DiskError
from tuning.system.storage_path import StoragePath


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URI of a bucket on a local S3 server."""
    with (
        pytest.MonkeyPatch.context() as patch,
        s3(tmp_path_factory.mktemp("s3"), "bucket") as environment,
    ):
        for name, value in environment.items():
            patch.setenv(name, value)
        yield "s3://bucket"


@pytest.fixture(params=["path", "strange path", "file", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> StoragePath:
    if request.param == "s3":
        return StoragePath(request.getfixturevalue("bucket")) / tmp_path.name / "inner"
    if request.param == "file":
        return StoragePath(f"file://{tmp_path}/inner")
    return StoragePath(
        str(tmp_path / ("a b%20?c=d" if request.param == "strange path" else "inner"))
    )


def test_a_file_can_be_written_read_replaced_and_removed(storage: StoragePath) -> None:
    file = storage / "folder" / "x.state"
    assert file.read() is None
    for content in (b"one", b"", b"another" * 1000):
        file.write(content)
        assert file.read() == content
    assert not (storage / "folder").is_empty()
    file.remove()
    assert file.read() is None
    file.remove()


def test_a_folder_is_removed_with_its_content(storage: StoragePath) -> None:
    assert storage.is_empty()
    for name in ("x", "y"):
        (storage / "folder" / name / "file").write(b"1")
    (storage / "folder").remove()
    assert (storage / "folder").is_empty()
    assert (storage / "folder/x/file").read() is None


@pytest.mark.parametrize(
    ("uri", "inside"),
    [
        ("/a/b", "/a/b/c"),
        ("s3://bucket", "s3://bucket/c"),
        ("s3://bucket/b?region=x&scheme=http", "s3://bucket/b/c?region=x&scheme=http"),
    ],
)
def test_settings_of_a_file_system_stay_after_the_path(uri: str, inside: str) -> None:
    assert (StoragePath(uri) / "c").uri == inside


def test_a_password_is_not_shown() -> None:
    assert str(StoragePath("s3://me:secret@bucket/x")) == "s3://me:***@bucket/x"


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("s3://absent/x", "s3://absent/x/f: cannot be written: .*NO_SUCH_BUCKET"),
        ("nothing://x/y", "nothing://x/y/f: cannot be opened: Unrecognized filesystem"),
        ("/dev/null/x", "/dev/null/x/f: cannot be written"),
    ],
)
def test_a_failed_write_is_reported_in_one_line(bucket: str, uri: str, message: str) -> None:
    with pytest.raises(OSError, match=message) as caught:
        (StoragePath(uri) / "f").write(b"1")
    assert "\n" not in str(caught.value)


def test_a_bucket_without_permission_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3(tmp_path, "guarded", guarded_after=1) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(DiskError, match=r"s3://guarded/x/f: cannot be written: .* Access"):
            (StoragePath("s3://guarded/x") / "f").write(b"1")
