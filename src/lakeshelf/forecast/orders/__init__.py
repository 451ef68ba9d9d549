"""From a forecast to a level, and from a level to lots: arithmetic, nothing else."""
