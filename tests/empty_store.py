"""An MLflow store without a run, to copy: MLflow takes more than a second to make each anew."""

import tempfile
from functools import cache
from pathlib import Path


def put_store(path: Path) -> str:
    """Write an empty store there, unless there is one; return its URI."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_made())
    return f"sqlite:///{path}"


@cache
def _made() -> bytes:
    from mlflow.tracking import MlflowClient

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "empty.db")
        MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments(max_results=1)
        return path.read_bytes()
