"""Scripts of the peers. Each runs in an environment of its own, and imports nothing of the project."""
