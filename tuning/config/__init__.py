"""The content of experiments' YAML files: its models, its loader, its problems in words."""
