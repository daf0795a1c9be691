"""What was measured, kept by the hash of its input."""
