"""Adverse events to rates and exact bounds."""
