"""MongoDB migrations and driver metrics."""
