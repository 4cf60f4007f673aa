"""A launch's folder and journal, and MLflow, which is written from them."""
