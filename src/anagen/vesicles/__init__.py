"""Movie of Brownian motion to spots, tracks, diffusion, sizes and concentration; lots."""
