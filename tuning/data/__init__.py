"""From the name of a data set or an encoder to token arrays; imports no torch."""
