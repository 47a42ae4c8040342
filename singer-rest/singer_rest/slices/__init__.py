"""Ways to divide a stream into slices that are fetched independently."""
