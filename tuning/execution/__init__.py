"""Running trials on cores, GPUs and clusters; the only package that imports Ray."""
