"""One step for each version."""
