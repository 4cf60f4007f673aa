"""Guards the activation cache: it returns equal states, and a damaged file is computed again."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock

from models.encoder import load_encoder
from models.frozen_pass import Advance, FrozenEncoder, encode
from models.segments import FIRST, SECOND, SPECIAL
from models.tokens import TokenTable
from tuning.system.atomic_files import DiskError
from tuning.training.activation_cache import States, fingerprint, load_or_compute


def table(seed: int, rows: int) -> TokenTable:
    generator = np.random.default_rng(seed)
    tokens, segments, offsets = [], [], [0]
    for _ in range(rows):
        a, b = generator.integers(1, 6, 2)
        tokens += [2, *generator.integers(4, 49, a), 3, *generator.integers(4, 49, b), 3]
        segments += [SPECIAL, *[FIRST] * a, SPECIAL, *[SECOND] * b, SPECIAL]
        offsets.append(len(tokens))
    return TokenTable(
        tokens=np.array(tokens, dtype=np.int32),
        segments=np.array(segments, dtype=np.uint8),
        offsets=np.array(offsets),
        pairs=rows,
    )


TABLES = {"train": table(0, 9), "test": table(1, 4)}


@pytest.fixture
def frozen(distilbert: Path) -> FrozenEncoder:
    lower, _ = load_encoder(distilbert, 2, attention="eager")
    return FrozenEncoder(
        lower=lambda: lower,
        encoder_fingerprint="f",
        depth=2,
        precision=torch.float32,
        device=torch.device("cpu"),
    )


def computed_alone(
    frozen: FrozenEncoder, folder: Path, advance: Advance = lambda rows: None
) -> States:
    (states,) = load_or_compute([frozen], TABLES, folder, advance)
    return states


def cache_file(folder: Path) -> Path:
    (path,) = folder.glob("*.safetensors")
    return path


def test_states_have_the_positions_of_their_tokens(frozen: FrozenEncoder) -> None:
    whole = encode(frozen, TABLES["train"])
    start, end = TABLES["train"].offsets[5:7]
    alone = TokenTable(
        tokens=TABLES["train"].tokens[start:end],
        segments=TABLES["train"].segments[start:end],
        offsets=np.array([0, end - start]),
        pairs=1,
    )
    np.testing.assert_allclose(whole[start:end], encode(frozen, alone), atol=1e-5)


def test_the_cache_returns_what_was_computed_and_counts_its_rows(
    frozen: FrozenEncoder, tmp_path: Path
) -> None:
    assert fingerprint(replace(frozen, layer_mean=True), TABLES) != fingerprint(frozen, TABLES)
    computed = computed_alone(frozen, tmp_path)
    counted: list[int] = []
    frozen.lower().layers.requires_grad_(False)
    with torch.no_grad():
        for weight in frozen.lower().parameters():
            weight.zero_()  # if the states were computed again, they would differ
    cached = computed_alone(frozen, tmp_path, counted.append)
    assert sum(counted) == 13
    for split in TABLES:
        np.testing.assert_array_equal(cached[split], computed[split])


@pytest.mark.parametrize("position", [-3, 4, 200])
def test_a_damaged_file_is_computed_again_with_a_warning(
    frozen: FrozenEncoder, tmp_path: Path, position: int, caplog: pytest.LogCaptureFixture
) -> None:
    computed = computed_alone(frozen, tmp_path)
    content = bytearray(cache_file(tmp_path).read_bytes())
    content[position] ^= 0x55
    cache_file(tmp_path).write_bytes(content)
    again = computed_alone(frozen, tmp_path)
    assert "damaged, so it is computed again" in caplog.text
    np.testing.assert_array_equal(again["train"], computed["train"])


def test_a_truncated_file_is_computed_again_and_replaced(
    frozen: FrozenEncoder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    computed_alone(frozen, tmp_path)
    size = cache_file(tmp_path).stat().st_size
    cache_file(tmp_path).write_bytes(cache_file(tmp_path).read_bytes()[:-100])
    computed_alone(frozen, tmp_path)
    assert "damaged, so it is computed again" in caplog.text
    assert cache_file(tmp_path).stat().st_size == size


def test_states_are_returned_if_the_folder_cannot_be_written(
    frozen: FrozenEncoder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    states = computed_alone(frozen, tmp_path / "file")
    assert "the activations are not kept" in caplog.text
    assert states["test"].shape == (len(TABLES["test"].tokens), 12)


def test_a_full_disk_is_reported_with_the_space_needed(
    frozen: FrozenEncoder,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("models.state_files.os.posix_fallocate", fail)
    states = computed_alone(frozen, tmp_path)
    reason = "cannot be written: No space left on device; 0.0 MB are needed and "
    assert reason in caplog.text
    assert "the activations are not kept" in caplog.text
    assert states["train"].shape[1] == 12
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".lock"]
    monkeypatch.setattr("models.state_files.SHARE", 0.0)  # as if memory had no room either
    with pytest.raises(DiskError, match="memory has no room for them: free some space, or name"):
        computed_alone(frozen, tmp_path)


@pytest.fixture
def outputs(frozen: FrozenEncoder, distilbert: Path) -> list[FrozenEncoder]:
    """Return the lower two layers, all three, and these with the mean of their states."""
    lower, _ = load_encoder(distilbert, 3, attention="eager")
    mean, _ = load_encoder(distilbert, 3, attention="eager", layer_mean=True)
    return [
        frozen,
        replace(frozen, lower=lambda: lower, depth=3),
        replace(frozen, lower=lambda: mean, depth=3, layer_mean=True),
    ]


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_files_of_one_pass_are_to_the_byte_those_of_a_pass_for_each(
    outputs: list[FrozenEncoder], tmp_path: Path, precision: torch.dtype
) -> None:
    outputs, counted = [replace(each, precision=precision) for each in outputs], []
    together = load_or_compute(outputs, TABLES, tmp_path / "together", counted.append)
    for each, states in zip(outputs, together, strict=True):
        alone = computed_alone(each, tmp_path / "alone")
        for split in TABLES:
            np.testing.assert_array_equal(states[split], alone[split])
    files = {path.name: path.read_bytes() for path in (tmp_path / "alone").glob("*.safetensors")}
    assert len(files) == 3
    for name, content in files.items():
        assert (tmp_path / "together" / name).read_bytes() == content
    assert sum(counted) == 13


def test_what_is_in_the_cache_is_not_computed_again_and_not_locked(
    outputs: list[FrozenEncoder], tmp_path: Path
) -> None:
    two, three, mean = outputs
    before = computed_alone(two, tmp_path)
    file = cache_file(tmp_path)
    written = file.stat()

    def look(rows: int) -> None:  # another launch may read the file meanwhile
        FileLock(file.with_suffix(".lock")).acquire(timeout=0).lock.release()

    found = load_or_compute([mean, two, three], TABLES, tmp_path, look)
    assert (file.stat().st_ino, file.stat().st_mtime) == (written.st_ino, written.st_mtime)
    assert [states["test"].shape[1] for states in found] == [24, 12, 12]
    np.testing.assert_array_equal(found[1]["train"], before["train"])


def test_if_the_disk_has_room_for_one_file_neither_stays_and_the_message_names_the_other(
    outputs: list[FrozenEncoder],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    two, three, mean = outputs
    computed_alone(two, tmp_path)
    file, created = cache_file(tmp_path), []

    def fail_at_the_second(*arguments: int) -> None:
        created.append(arguments)
        if len(created) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("models.state_files.os.posix_fallocate", fail_at_the_second)
    monkeypatch.setattr("models.state_files.read", lambda _: ({}, None))
    found = load_or_compute([three, two, mean], TABLES, tmp_path)
    assert caplog.text.count("cannot be written") == 1
    assert [path for path in tmp_path.iterdir() if path.suffix != ".lock"] == [file]
    for each, states in zip((three, two, mean), found, strict=True):
        np.testing.assert_array_equal(states["test"], encode(each, TABLES["test"]))


def test_whatever_the_states_depend_on_changes_the_fingerprint(frozen: FrozenEncoder) -> None:
    others = [
        fingerprint(replace(frozen, depth=1), TABLES),
        fingerprint(replace(frozen, precision=torch.bfloat16), TABLES),
        fingerprint(replace(frozen, encoder_fingerprint="g"), TABLES),
        fingerprint(frozen, {**TABLES, "test": table(2, 4)}),
    ]
    assert len({fingerprint(frozen, TABLES), *others}) == 5


def test_two_threads_compute_the_states_once(outputs: list[FrozenEncoder], tmp_path: Path) -> None:
    counted: list[int] = []
    threads = [
        threading.Thread(target=load_or_compute, args=(each, TABLES, tmp_path, counted.append))
        for each in (outputs, outputs[::-1])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counted) == [4, 9, 13]  # one pass over both tables, one reading of the file


def test_a_table_without_rows_is_refused(frozen: FrozenEncoder) -> None:
    with pytest.raises(ValueError, match="the table has no rows"):
        encode(frozen, table(0, 0))


def test_bfloat16_keeps_states_in_two_bytes(frozen: FrozenEncoder) -> None:
    states = encode(replace(frozen, precision=torch.bfloat16), TABLES["test"])
    assert states.dtype == np.float16
    np.testing.assert_allclose(states, encode(frozen, TABLES["test"]), atol=0.05)
