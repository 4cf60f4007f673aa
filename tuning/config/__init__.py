"""What a YAML file may say, and its problems in words."""
