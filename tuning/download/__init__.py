"""Downloads: from the name of a data set or an encoder to files on disk, whole and verified."""
