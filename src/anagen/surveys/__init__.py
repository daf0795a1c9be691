"""Instrument to scores to reliability."""
