"""Packing of the submission: the report, the code, the saved models, and a README."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from analysis.error_tables import best_trials
from analysis.load_runs import Launch, Store, StoreError

CODE = (
    *("Makefile", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"),
    *("CITATION.cff", ".pre-commit-config.yaml"),
    *("pyproject.toml", "constraints.txt", "environment.yml", "mkdocs.yml", ".gitignore", ".ci"),
    *("analysis", "benchmarks", "docs", "embedded", "experiments", "measures"),
    *("models", "tests", "tuning"),
)
_LEFT_OUT = ("__pycache__", ".ipynb_checkpoints")
_PICKLE = "classifier.pt"
_NAME = re.compile(r"[\w-]+")

README = """# {title}

`Report.pdf` is the report, `code/` the program, and `saved_models/` holds every classifier whose
scores the report shows ({count} of them), each from its best epoch, together with the encoder.

One command sets everything up and recomputes every score from the saved models:

```sh
make -C code reproduce SAVED=../saved_models
```

It needs Python 3.11 or newer and make, prints the logged and the recomputed value of every metric,
and ends with the number of classifiers whose values agree. {data}

Each classifier is stored as `classifier.safetensors` with a description, `classifier.json`. The
best classifier of each freezing mode is also stored as a pickle, `classifier.pt`, which
`torch.load(path, weights_only=True)` loads.
"""
_DATA = {
    "embedded": "The data set is part of the code.",
    "parade": "PARADE is not part of this archive; it is downloaded from its published commit, or "
    "read from a folder with its three files: `PARADE_DIR=FOLDER make -C code ...`.",
}
_OTHER_DATA = "The data set is not part of this archive; `ARGS=--data=FOLDER` names its folder."


def pack(
    store: Store, experiments: list[str], members: list[str], root: Path, report: Path
) -> Path:
    """Write ``A3_Name1_Name2.zip`` to the folder of ``report`` and return its path.

    Args:
        store: MLflow store with the saved models.
        experiments: Names of the experiments whose newest launches go in.
        members: Names of the group's members, at least one.
        root: Folder of the project.
        report: Path of Report.pdf.

    Raises:
        StoreError: If a name cannot be part of a file's name, the report is missing, or no trial
            has a saved model.
    """
    _check(members, report)
    launches = [found for name in experiments if (found := store.latest(name))]
    count = sum(len(launch.trials) for launch in launches)
    if not count:
        raise StoreError(
            f"{store.uri}: must have a finished trial of experiment {' or '.join(experiments)}; "
            "--experiments names others"
        )
    title = "A3_" + "_".join(members)
    data = _DATA.get(launches[0].tags["data"], _OTHER_DATA)
    path = report.with_name(f"{title}.zip")
    unfinished = path.with_suffix(".zip.part")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(report, f"{title}/Report.pdf")
        archive.writestr(f"{title}/README.md", README.format(title=title, count=count, data=data))
        for file in code_files(root):
            archive.write(file, f"{title}/code/{file.relative_to(root)}")
        for launch in launches:
            _add_models(archive, f"{title}/saved_models/{launch.experiment}", store, launch)
    unfinished.replace(path)
    return path


def _check(members: list[str], report: Path) -> None:
    """Raise StoreError if a name cannot be part of a file's name, or the report is missing."""
    wrong = [name for name in members if not _NAME.fullmatch(name)]
    if wrong or not members:
        got = ", ".join(map(repr, wrong)) or "none"
        raise StoreError(f"MEMBERS: must be names of letters, digits, _ and -, got {got}")
    if not report.is_file():
        raise StoreError(f"{report}: does not exist; make report writes it")


def code_files(root: Path) -> Iterator[Path]:
    """Yield every file of the program, without the files that runs and installs created."""
    for name in CODE:
        found = root / name
        for path in sorted(found.rglob("*")) if found.is_dir() else [found]:
            if path.is_file() and not set(path.parts) & set(_LEFT_OUT):
                yield path


def _add_models(archive: zipfile.ZipFile, target: str, store: Store, launch: Launch) -> None:
    """Add the encoder and every trial's model; pickles only of each mode's best trial."""
    best = {trial["run_id"] for trial in best_trials(launch.trials).values()}
    with TemporaryDirectory() as scratch:
        encoder = store.save_artifacts(launch.run_id, "encoder", Path(scratch))
        _add_folder(archive, encoder, f"{target}/encoder", set())
        for trial in launch.trials.to_dict("records"):
            folder = Path(scratch) / str(trial["run_id"])
            folder.mkdir()
            model = store.save_artifacts(str(trial["run_id"]), "model", folder)
            left_out = set() if trial["run_id"] in best else {_PICKLE}
            _add_folder(archive, model, f"{target}/{safe_name(str(trial['name']))}", left_out)


def safe_name(name: str) -> str:
    """Return the name of a run as a folder name that cannot point outside its parent folder."""
    return re.sub(r"[^\w.-]|^\.+", "_", name)


def _add_folder(archive: zipfile.ZipFile, folder: Path, target: str, left_out: set[str]) -> None:
    """Add the files of a folder as ``target/NAME``."""
    for file in sorted(folder.iterdir()):
        if file.name not in left_out:
            archive.write(file, f"{target}/{file.name}")
