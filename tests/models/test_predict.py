"""Guards the command that predicts: the model is named, and every row of a file comes back."""

from pathlib import Path

import pytest

from models.pair_files import ENDINGS
from models.predictor import Predictor
from models.table_files import read_rows
from tests.models.conftest import Run
from tests.models.untrained import save


def test_the_best_trial_of_a_launch_answers_and_is_named(launch: Path, run: Run) -> None:
    code, output, errors = run("w1", "w2", "--model", launch)
    assert (code, errors) == (0, "")
    best = launch / "b/checkpoint_000000/model"
    assert output.startswith(f"Model: {best}, the best of 3 by validation F1, encoder tiny (")


def test_a_trials_folder_is_a_model(launch: Path, run: Run) -> None:
    code, output, _ = run("w1", "w2", "--model", launch / "a")
    assert code == 0
    assert f"Model: {launch / 'a/checkpoint_000000/model'}, encoder" in output


def test_an_answer_of_a_flagged_model_says_so(distilbert: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "encoder").symlink_to(distilbert)
    saved = save(tmp_path / "model", distilbert, metrics={"collapsed": 1.0, "no_positive": 1.0})
    _, output, _ = run("w1", "w2", "--model", saved)
    told = "flagged as collapsed and no positive at 0.5: do not trust it"
    assert told in " ".join(output.split("\n")[0].split())


@pytest.mark.parametrize("model", ["absent", "champion"])
def test_a_name_that_is_no_model_is_refused(launch: Path, run: Run, model: str) -> None:
    code, _, errors = run(
        "w1", "w2", "--model", model, "--tracking-uri", f"sqlite:///{launch.with_name('log.db')}"
    )
    assert code == 2
    assert f"--model: {model!r} is no folder, and no name in MLflow" in errors


def test_an_empty_name_is_refused(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("w1", "w2", "--model", "")
    assert "--model: must not be empty; leave the option out" in capsys.readouterr().err


def test_a_file_of_pairs_without_an_output_is_refused_with_the_endings(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run("--file", "pairs.tsv")
    told = " ".join(capsys.readouterr().err.split())
    assert "--file and --output need each other; --output ends in .csv, " in told


def test_classifiers_of_several_data_sets_are_not_compared(
    distilbert: Path, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "encoder").symlink_to(distilbert)
    for name in ("d1", "d2"):
        save(tmp_path / name, distilbert, data=name)
    code, _, errors = run("w1", "w2", "--model", tmp_path)
    assert code == 2
    assert "holds classifiers of several data sets or encoders, which cannot be compared" in errors
    assert f"as {tmp_path / 'd1'}" in errors


ROWS = [["0012", "null", "w1"], ["7", "007", "1.10"], ["", "NA", "None"], ["x", '"w1', "w2"]]


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Return a TSV file of pairs with texts that other readers alter."""
    lines = ["\t".join(row) for row in (["id", "first", "second"], *ROWS)]
    (tmp_path / "pairs.tsv").write_text("\n".join(lines) + "\n")
    return tmp_path / "pairs.tsv"


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_row_comes_back_with_an_answer(
    launch: Path, run: Run, pairs: Path, ending: str
) -> None:
    output = pairs.with_name(f"said{ending}")
    code, told, errors = run("--file", pairs, "--output", output, "--model", launch / "a")
    assert (code, errors) == (0, "")
    assert f"{output}: 4 pairs, " in told
    header, rows = read_rows(output, texts=["first"])
    found = [row for _, row in rows]
    assert header == ["id", "first", "second", "probability", "paraphrase"]
    assert [row[:3] for row in found] == ROWS
    expected = Predictor(launch / "a").predict([r[1] for r in ROWS], [r[2] for r in ROWS])
    assert [float(row[3]) for row in found] == pytest.approx(expected.tolist(), abs=1e-6)


def test_the_columns_may_have_other_names(launch: Path, run: Run, pairs: Path) -> None:
    (pairs.parent / "columns.yaml").write_text("first: id\nsecond: second\n")
    pairs.write_text("id\tsecond\nw1\tw2\n")
    output = pairs.with_name("said.csv")
    code, _, errors = run("--file", pairs, "--output", output, "--model", launch / "a")
    assert (code, errors) == (0, "")
    assert output.read_text().startswith("id,second,probability,paraphrase\nw1,w2,0.")


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_without_a_row_has_no_answer(
    launch: Path, run: Run, pairs: Path, ending: str
) -> None:
    pairs.write_text("first\tsecond\n")
    output = pairs.with_name(f"said{ending}")
    code, told, errors = run("--file", pairs, "--output", output, "--model", launch / "a")
    assert (code, errors) == (0, "")
    assert f"{output}: 0 pairs, 0 say the same" in told


def test_a_text_that_the_model_cannot_take_is_named_by_its_line(
    launch: Path, run: Run, pairs: Path
) -> None:
    pairs.write_text("first\tsecond\nw1\tw2\n*\tw3\nw4\t\n")
    output = pairs.with_name("said.csv")
    code, _, errors = run("--file", pairs, "--output", output, "--model", launch / "a")
    assert code == 2
    assert f"{pairs}: line 3: the first definition must have from 1 to 28 word pieces" in errors
    assert f"{pairs}: line 4: the second definition must have" in errors
    assert sorted(path.name for path in pairs.parent.iterdir()) == ["pairs.tsv"]


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("absent/said.csv", "there is no folder"),
        ("folder.csv", "is a folder; name a file"),
        ("said.txt", "must end in .csv, .jsonl, .parquet, .tsv"),
        ("said.csv.gz", "must end in .csv, .jsonl, .parquet, .tsv"),
        ("pairs.tsv", "is the input file; name another"),
        ("pairs.tsv/said.csv", "there is no folder"),
        ("/proc/said.csv", "cannot be written: "),
    ],
)
def test_an_output_that_cannot_be_written_is_told_before_the_model_is_sought(
    run: Run, pairs: Path, output: str, message: str
) -> None:
    (pairs.parent / "folder.csv").mkdir()
    words = ["--file", pairs, "--output", pairs.parent / output, "--model", "absent"]
    code, _, errors = run(*words)
    assert code == 2
    assert message in errors
    assert "--output" in errors
    assert pairs.read_text().startswith("id\tfirst")
