"""What both the tuner and the analysis compute: overlap features, baselines, intervals."""
