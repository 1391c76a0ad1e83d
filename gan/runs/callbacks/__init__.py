"""What watches a run: scalars, pictures, measurements, checkpoints, signals."""
