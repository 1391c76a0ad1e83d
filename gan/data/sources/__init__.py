"""The data sets, a file or a folder each."""
