"""Guards two nodes, PostgreSQL, MLflow's server and S3 together: a lost node loses nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import pytest
from mlflow.tracking import MlflowClient
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from tests.end_to_end.servers import find_postgres, postgres, s3
from tests.faults.conftest import Histories
from tests.faults.harness import Harm, Launch, SearchLaunch, same
from tests.faults.stores import Server
from tuning.system.storage_path import StoragePath
from tuning.tracking.journal import JOURNAL, Journal

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("shared_states"),
    pytest.mark.skipif(find_postgres() is None, reason="PostgreSQL is not installed"),
]


class EightTrials(Launch):
    """Eight trials, four at once; that of seed 0 is also run elsewhere, undisturbed."""

    changes = (*Launch.changes, "encoding=pair", "seed=[0, 1, 2, 3, 4, 5, 6, 7]")


class SmallSearch(SearchLaunch):
    """Every stage of a search, as short as it gets."""

    changes = (
        "search.num_samples=4", "search.startup_trials=9", "search.confirm=1", "epochs=5",
        "batch_size=16",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where launches run here."""

    cluster: Any
    nodes: list[Any]
    server: Server
    optuna: str

    def words(self, folder: Path) -> tuple[str, ...]:
        shared = ("--output", "s3://tuner/results", "--local", str(folder / "out"))
        return ("--address", self.cluster.address, *shared)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Give a cluster of two nodes with two places each, and the servers that it writes to."""
    from ray.cluster_utils import Cluster

    folder = tmp_path_factory.mktemp("site")
    with (
        pytest.MonkeyPatch.context() as patch,
        postgres("mlflow", "optuna") as urls,
        s3(folder, "tuner") as environment,
    ):
        for name, value in environment.items():
            patch.setenv(name, value)
        server = Server(folder / "mlflow", urls["mlflow"], "s3://tuner/mlflow")
        server.start()
        head = {"num_cpus": 2, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        try:
            second = cluster.add_node(num_cpus=2)
            yield Site(cluster=cluster, nodes=[second], server=server, optuna=urls["optuna"])
        finally:
            cluster.shutdown()
            server.stop()


def recorded(launch: Launch) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Return every value of every metric that the launch's journal has, by key of the run."""
    (path,) = launch.output.glob(f"*/{JOURNAL}")
    found: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for entry in Journal(path.parent).entries:
        if entry["do"] == "metrics":
            run = found.setdefault(entry["run"], {})
            for name, value in entry["values"].items():
                run.setdefault(entry["prefix"] + name, []).append((entry["step"], value))
            for name, value in entry.get("so_far", {}).items():
                run.setdefault(name, []).append((0, value))
    return found


def logged(launch: Launch) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Return the same as MLflow has it."""
    client = MlflowClient(tracking_uri=launch.store)
    experiment = client.get_experiment_by_name(launch.name)
    assert experiment is not None
    return {
        run.data.tags["key"]: {
            name: [(p.step, p.value) for p in client.get_metric_history(run.info.run_id, name)]
            for name in run.data.metrics
        }
        for run in client.search_runs([experiment.experiment_id])
    }


def assert_same(
    one: dict[str, dict[str, list[tuple[int, float]]]],
    other: dict[str, dict[str, list[tuple[int, float]]]],
) -> None:
    assert one.keys() == other.keys()
    for key, metrics in one.items():
        assert metrics.keys() == other[key].keys()
        assert all(same(values, other[key][name]) for name, values in metrics.items())


@pytest.fixture(scope="module")
def grid(site: Site, tmp_path_factory: pytest.TempPathFactory) -> EightTrials:
    """Return a grid during which one of two nodes was killed."""
    folder = tmp_path_factory.mktemp("grid")
    launch = EightTrials(
        folder, store=site.server.uri, output=folder / "out", more=site.words(folder)
    )
    driver = launch.start()
    assert launch.wait(lambda: launch.epochs() >= 16, driver), launch.texts
    site.cluster.remove_node(site.nodes.pop(), allow_graceful=False)
    assert launch.end(driver) == 0, launch.texts
    return launch


def test_the_trials_of_a_killed_node_move_and_nothing_is_lost(
    grid: EightTrials, expected: Histories
) -> None:
    assert "is tried again" in grid.texts[0]
    assert grid.harm({}) == Harm()
    assert {run.info.status for run in grid.runs()} == {"FINISHED"}
    found = grid.histories()
    assert len(found) == 8
    assert all(same(found["01-0"][k], values) for k, values in expected["01-pair"].items())


def test_no_metric_is_lost_between_eight_trials_and_postgres(grid: EightTrials) -> None:
    assert_same(logged(grid), recorded(grid))
    trials = [run for key, run in recorded(grid).items() if key.startswith("grid/")]
    assert [len(run["while_training/val_f1"]) for run in trials] == [8] * 8


def test_results_and_artifacts_lie_in_s3(grid: EightTrials) -> None:
    (folder,) = grid.output.glob("smoke-*")
    results = StoragePath("s3://tuner/results") / folder.name
    saved = results / "01-0/checkpoint_000000/model/classifier.safetensors"
    weights = saved.read()
    assert weights is not None
    assert (results / "states").is_empty()
    assert StoragePath("s3://tuner/results/probes").is_empty()
    (run,) = [r for r in grid.runs() if r.data.tags["key"] == "grid/01-0"]
    name = f"1/{run.info.run_id}/artifacts/model/classifier.safetensors"
    assert (StoragePath("s3://tuner/mlflow") / name).read() == weights


def test_a_search_keeps_its_study_in_postgres(site: Site, tmp_path: Path) -> None:
    words = (*site.words(tmp_path), "--storage", site.optuna)
    launch = SmallSearch(tmp_path, store=site.server.uri, output=tmp_path / "out", more=words)
    assert launch.finish() == 0, launch.texts
    storage = RDBStorage(site.optuna)
    trials = optuna.load_study(study_name="smoke_search", storage=storage).trials
    storage.engine.dispose()
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 4
    assert_same(logged(launch), recorded(launch))
    values = {f"search/{t.number:03d}": t.value for t in trials}
    assert {k: recorded(launch)[k]["objective"][0][1] for k in values} == values
    assert "secret" not in "".join(launch.texts)


def test_a_node_with_other_versions_is_named_before_any_trial(site: Site, tmp_path: Path) -> None:
    other = tmp_path / "site" / "torch-1.0.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 1.0\n")
    node = site.cluster.add_node(num_cpus=1, env_vars={"PYTHONPATH": str(other.parent)})
    launch = Launch(
        tmp_path, store=site.server.uri, output=tmp_path / "out", more=site.words(tmp_path)
    )
    try:
        assert launch.finish() == 2
    finally:
        site.cluster.remove_node(node)
    assert "no trial was started" in launch.texts[1]
    assert "torch must be" in launch.texts[1]
    assert "as here, got 1.0; install constraints.txt there" in launch.texts[1]
    assert "Traceback" not in "".join(launch.texts)
