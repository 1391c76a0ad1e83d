"""From a configuration to a run on the disk."""
