"""Guards that this version reads what the version before the rooms of ``tuning`` wrote.

``tests/earlier`` holds the journal of a launch that was interrupted then, and a state.
"""

import shutil
from pathlib import Path

import pytest
import torch

from tests.empty_store import put_store
from tuning.config.experiment import TrialConfig
from tuning.config.loader import load_experiment
from tuning.config.trial_values import known_before
from tuning.data.prepared import prepare
from tuning.data.sources import DataLocations
from tuning.execution.trial_checkpoint import state_file
from tuning.execution.trial_spec import TrialSpec
from tuning.search.context import fixed_fields, identity
from tuning.system.checkpoint_file import load_state
from tuning.system.project import ROOT
from tuning.system.storage_path import StoragePath
from tuning.tracking.journal import Journal
from tuning.tracking.launch_folder import LaunchError
from tuning.tracking.launch_log import LaunchLog
from tuning.tracking.mlflow_pages import View
from tuning.tracking.mlflow_reader import find_newest_launch, read_runs
from tuning.tracking.mlflow_writer import MlflowWriter
from tuning.tracking.resume import find_interrupted, plain, refuse_changes

EARLIER = ROOT / "tests/earlier"
BEFORE = {"encoding": "pair", "cosine_feature": False, "threshold_rule": "maximum"}
RESTORED = tuple(f"trial.{name}={value}" for name, value in BEFORE.items())  # by --set
STATES = [  # of the two trials of the smoke experiment with 40 epochs: earlier, and now
    (("01-0.001", 0.001), "c5bb53aafea6de98.state", "e36d368cd35382e8.state"),
    (("02-0.1", 0.1), "2888410aa165e6c3.state", "90c5b2ead7e46f8e.state"),
]
SEARCHED = {  # the identity of the study of the smoke search with 20 epochs
    "space": {
        "overlap_features": {"choices": [True, False]},
        "optimizer": {"choices": ["adamw", "sgd"]},
        "learning_rate": {"low": 0.001, "high": 0.1, "log": True},
        "momentum": {"low": 0.8, "high": 0.95, "when": {"optimizer": ["sgd"]}},
    },
    "fixed": {
        "freezing": "all",
        "head": "attention_pooling",
        "head_width": 32,
        "dropout": 0.2,
        "encoder_learning_rate": 5e-05,
        "weight_decay": 0.01,
        "warmup_fraction": 0.1,
        "clip_norm": 1.0,
        "batch_size": 32,
        "epochs": 20,
        "min_steps": 0,
        "targets": "auto",
        "both_orders": True,
        "layer_decay": 1.0,
        "r_drop": 0.0,
        "seed": 0,
        "order_seed": None,
    },
    "seeds": 2,
}


@pytest.fixture
def launch(tmp_path: Path) -> Path:
    """Return the folder of the interrupted launch, in an output folder of its own."""
    folder = tmp_path / "smoke-20261126-163601"
    folder.mkdir()
    shutil.copy(EARLIER / "journal.jsonl", folder)
    return folder


def identity_now(epochs: int, *overrides: str) -> dict[str, object]:
    experiment = load_experiment(ROOT / "experiments/smoke.yaml", [f"epochs={epochs}", *overrides])
    dump = experiment.model_dump(exclude={"data", "encoder", "precision"})
    return plain({"experiment": known_before(dump)})


def test_a_launch_begun_before_is_found_and_can_be_resumed(launch: Path) -> None:
    assert find_interrupted(launch.parent, "smoke") == [launch]
    log = LaunchLog(Journal(launch))
    assert sorted(log.runs) == ["grid/01-0.001", "grid/02-0.1", "launch"]
    begun_with = log.journal.entries[0]["identity"]
    same = {name: begun_with[name] for name in ("data", "encoder", "precision")}
    refuse_changes(log, {**identity_now(40, *RESTORED), **same}, "start another")


def test_a_launch_begun_before_goes_on_with_the_names_it_began_with(
    launch: Path, tmp_path: Path
) -> None:
    log = LaunchLog(Journal(launch))
    before = set(log.runs["grid/01-0.001"].seen)
    assert before == set(range(1, len(before) + 1))
    log.log_epoch("grid/01-0.001", len(before) + 1, {"val_f1": 0.5}, best=0.625)
    log.log_epoch("grid/02-0.1", 40, {"val_f1": 0.25}, best=0.25)
    log.keep_view(View(varied=["learning_rate"]))
    opened = {**log.journal.entries[0], "artifacts": str(tmp_path / "artifacts")}
    uri = put_store(tmp_path / "log.db")
    store = MlflowWriter(uri, opened, launch)
    store.write(entry for entry in log.journal.entries[1:] if entry["do"] != "files")  # not kept
    curve = store.client.get_metric_history(store.run_id("grid/01-0.001"), "epoch/val_f1")
    assert [point.step for point in curve] == [*sorted(before), len(before) + 1]
    for run in store.client.search_runs([store.experiment_id]):
        assert not [name for name in run.data.metrics if name.startswith("while_training/")]
        assert run.inputs is not None
        assert run.inputs.dataset_inputs == []
    (read,) = read_runs(store.client, store.experiment_id, "tags.key = 'grid/02-0.1'")
    assert read.epochs["val_f1"] == 0.25
    assert find_newest_launch(uri) == (store.experiment_id, log.launch)


def test_a_launch_begun_before_is_refused_in_words_with_another_experiment(launch: Path) -> None:
    log = LaunchLog(Journal(launch))
    begun_with = log.journal.entries[0]["identity"]
    with pytest.raises(
        LaunchError, match=r"was started with other values: .*epochs.* 40"
    ) as error:
        refuse_changes(
            log, {**begun_with, **identity_now(41, *RESTORED)}, "start another with --overwrite"
        )
    assert "start another with --overwrite" in str(error.value)


def test_a_launch_begun_before_a_field_is_refused_with_the_value_that_it_had(
    launch: Path,
) -> None:
    log = LaunchLog(Journal(launch))
    begun_with = log.journal.entries[0]["identity"]
    with pytest.raises(LaunchError, match="threshold_rule was maximum, is now steady;") as error:
        refuse_changes(log, {**begun_with, **identity_now(40)}, "start another")
    assert "trial.encoding was pair, is now separate" in str(error.value)
    assert "trial.cosine_feature was False, is now auto" in str(error.value)


def test_a_state_written_before_is_read(tmp_path: Path) -> None:
    found = load_state(StoragePath(str(EARLIER / "trial.state")))
    assert found is not None
    state, epochs = found
    assert torch.equal(state["training"]["weights"], torch.arange(6.0).reshape(2, 3))
    assert (state["training"]["order"], state["best"]) == ("text", {"epoch": 1, "sound": True})
    assert [epoch["val_f1"] for epoch in epochs] == [0.5, 0.25]


@pytest.mark.parametrize(("trial", "earlier", "now"), STATES)
def test_a_trials_state_has_its_name_and_none_of_epochs_that_were_chosen_otherwise(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    trial: tuple[str, float],
    earlier: str,
    now: str,
) -> None:
    name, rate = trial
    values = {"learning_rate": rate, "epochs": 40, "targets": "labels"}
    config = TrialConfig.model_validate({**values, **BEFORE})
    spec, folder = TrialSpec(name=name, trial=config), StoragePath(str(tmp_path))
    assert state_file(folder, spec).uri.endswith(f"/states/{now}")
    monkeypatch.setattr("tuning.execution.trial_checkpoint.FORMAT", 1)
    assert state_file(folder, spec).uri.endswith(f"/states/{earlier}")


def test_a_study_begun_before_is_of_the_same_search(tmp_path: Path) -> None:
    experiment = load_experiment(
        ROOT / "experiments/smoke_search.yaml", ["epochs=20", *RESTORED, "search.objective=f1"]
    )
    assert experiment.search is not None
    prepared = prepare(experiment, DataLocations(cache=tmp_path))
    now = plain(identity(prepared, experiment.search, fixed_fields(prepared)))
    assert {name: now[name] for name in SEARCHED} == SEARCHED
