"""Pack what is handed in: the report, the code, the saved models, and how to recompute them."""

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

`Report.pdf` is the report, `code/` the program, `saved_models/` every classifier whose scores the
report shows ({count} of them), each at its best epoch, with the encoder beside them.

One command sets everything up and recomputes every score from the saved models:

```sh
make -C code reproduce SAVED=../saved_models
```

It needs Python 3.11 or newer and make, prints logged against recomputed for every metric, and ends
with the number of classifiers that agree. {data}

A classifier is `classifier.safetensors` with its card, `classifier.json`. The best of each
freezing mode is there as a pickle as well, `classifier.pt`, to be loaded with
`torch.load(path, weights_only=True)`.
"""
_DATA = {
    "embedded": "The data set is part of the code.",
    "parade": "PARADE is not part of this archive; it is downloaded from its published commit, or "
    "taken from a folder with its three files: `PARADE_DIR=FOLDER make -C code ...`.",
}
_OTHER_DATA = "The data set is not part of this archive; `ARGS=--data=FOLDER` says where it is."


def pack(
    store: Store, experiments: list[str], members: list[str], root: Path, report: Path
) -> Path:
    """Return the finished ``A3_Name1_Name2.zip`` in the folder of ``report``.

    Args:
        store: The log.
        experiments: Names of those whose newest launch goes in.
        members: Who hands in.
        root: The project's folder.
        report: Report.pdf.

    Raises:
        StoreError: If a name cannot be part of a file's name, the report is missing, or no trial
            has a saved model.
    """
    wrong = [name for name in members if not _NAME.fullmatch(name)]
    if wrong or not members:
        got = ", ".join(map(repr, wrong)) or "none"
        raise StoreError(f"MEMBERS: must be names of letters, digits, _ and -, got {got}")
    if not report.is_file():
        raise StoreError(f"{report}: is missing; make report writes it")
    launches = [found for name in experiments if (found := store.latest(name))]
    count = sum(len(launch.trials) for launch in launches)
    if not count:
        raise StoreError(f"{store.uri}: no finished trial of {', '.join(experiments)}")
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


def code_files(root: Path) -> Iterator[Path]:
    """Yield every file of the program, without what runs and installs left behind."""
    for name in CODE:
        found = root / name
        for path in sorted(found.rglob("*")) if found.is_dir() else [found]:
            if path.is_file() and not set(path.parts) & set(_LEFT_OUT):
                yield path


def _add_models(archive: zipfile.ZipFile, place: str, store: Store, launch: Launch) -> None:
    best = {trial["run_id"] for trial in best_trials(launch.trials).values()}
    with TemporaryDirectory() as scratch:
        encoder = store.save_artifacts(launch.run_id, "encoder", Path(scratch))
        _add_folder(archive, encoder, f"{place}/encoder", set())
        for trial in launch.trials.to_dict("records"):
            folder = Path(scratch) / str(trial["run_id"])
            folder.mkdir()
            model = store.save_artifacts(str(trial["run_id"]), "model", folder)
            left_out = set() if trial["run_id"] in best else {_PICKLE}
            _add_folder(archive, model, f"{place}/{safe_name(str(trial['name']))}", left_out)


def safe_name(name: str) -> str:
    """Return the name of a run as that of a folder, which lies nowhere but in its parent."""
    return re.sub(r"[^\w.-]|^\.+", "_", name)


def _add_folder(archive: zipfile.ZipFile, folder: Path, place: str, left_out: set[str]) -> None:
    for file in sorted(folder.iterdir()):
        if file.name not in left_out:
            archive.write(file, f"{place}/{file.name}")
