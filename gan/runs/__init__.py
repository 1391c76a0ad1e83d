"""From a configuration to a run on the disk, and back from a run to its numbers."""
