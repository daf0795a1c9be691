"""Other people's files: images, movies, NanoSight, ZetaView, tables."""

from anagen.formats.images import ImageFile, read_image, write_image
from anagen.formats.movies import MovieFile, open_movie, write_movie
from anagen.formats.vendor_lots import read_vendor_lot

__all__ = ["ImageFile", "MovieFile", "open_movie", "read_image", "read_vendor_lot", "write_image", "write_movie"]
