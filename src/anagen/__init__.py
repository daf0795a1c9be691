"""Hair-loss trials from raw files to an honest report."""

__version__ = "0.1.0"
