"""HR vendors' APIs on this machine, over one invented company."""
