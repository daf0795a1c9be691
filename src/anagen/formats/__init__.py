"""Other people's files: images, movies, NanoSight, ZetaView, tables."""
