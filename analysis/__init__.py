"""Turn the MLflow store into tables, figures and the report; imports neither tuner nor torch."""

import os

# MLflow reads these when it is imported, which every module here does after this file.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # nothing is sent about the user
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # 7 take minutes without a server
