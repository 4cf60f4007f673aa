"""The search: configuration, data, shared activations, training, Ray Tune and the MLflow log."""
