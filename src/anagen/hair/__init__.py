"""Scalp image to hairs, density and diameters; the same hairs between visits."""
