"""Scripts of the peers. Each runs in a separate environment and imports nothing from the project."""
