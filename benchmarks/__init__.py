"""Scripts that measure what the program claims about its speed and its scores."""
