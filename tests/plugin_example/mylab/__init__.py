"""A stranger's package: every kind of part that `gan` takes by importable path, with no change in `gan`."""
