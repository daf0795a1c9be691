"""Pooling studies, risk of bias, certainty, the verdict."""
