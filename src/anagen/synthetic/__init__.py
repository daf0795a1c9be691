"""Inputs whose truth is known: scalp images, movies, whole trials."""
