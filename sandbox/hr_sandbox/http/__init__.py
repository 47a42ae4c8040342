"""HTTP: what the three vendors and the server share."""
