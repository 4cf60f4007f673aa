"""From the MLflow store to tables and figures; imports neither the search nor torch."""
