"""What tuner and analysis share: overlap, baselines, intervals, the frame of a command."""
