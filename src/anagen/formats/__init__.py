"""Other people's files: images, movies, NanoSight, ZetaView, tables."""

from anagen.formats.images import ImageFile, read_image, write_image

__all__ = ["ImageFile", "read_image", "write_image"]
