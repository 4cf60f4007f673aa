"""Guards table rows: flags of runs that an earlier version logged are judged anew."""

from mlflow.entities import Metric, Param, Run, RunData, RunInfo, RunTag

from analysis.run_rows import trial_row


def run_with(params: dict[str, str] | None = None, **metrics: float) -> Run:
    info = RunInfo("a1", "0", "user", "FINISHED", 0, 1, "active", run_name="01")
    logged = [Metric(name, value, 0, 0) for name, value in metrics.items()]
    return Run(info, RunData(logged, [Param(*each) for each in (params or {}).items()]))


def test_one_class_at_one_half_was_called_collapsed_by_earlier_versions() -> None:
    row = trial_row(run_with(collapsed=1.0, diverged=0.0, val_auc=0.6, val_positive_rate=0.0))
    flags = ("collapsed", "diverged", "no_positive", "all_positive")
    assert [row[flag] for flag in flags] == [0, 0, 1, 0]
    row = trial_row(run_with(collapsed=1.0, diverged=0.0, val_auc=0.5, val_positive_rate=1.0))
    assert [row[flag] for flag in flags] == [1, 0, 0, 1]


def test_flags_of_this_version_are_taken_as_logged() -> None:
    logged = {"collapsed": 1.0, "no_positive": 0.0, "all_positive": 0.0}
    row = trial_row(run_with(None, **logged, val_auc=0.52, val_positive_rate=0.3))
    assert {name: row[name] for name in logged} == logged


def test_a_trial_whose_log_names_no_encoding_read_pairs_together() -> None:
    assert trial_row(run_with())["encoding"] == "pair"
    assert trial_row(run_with({"encoding": "separate"}))["encoding"] == "separate"


def test_a_row_names_the_folder_of_its_trial() -> None:
    run = Run(run_with().info, RunData([], [], [RunTag("trial", "02-some")]))
    assert trial_row(run)["folder"] == "02-some"
    assert trial_row(run_with())["folder"] == "01"  # the log of a version without the tag
