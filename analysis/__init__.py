"""From the MLflow store to tables and figures; imports neither the search nor torch."""

import os

# before a module here imports MLflow, which reads them then
os.environ.setdefault("MLFLOW_ENABLE_TELEMETRY", "false")  # nothing is sent about the user
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # 7 wait minutes for no server
