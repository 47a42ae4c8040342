"""The records of the company, which each vendor renders in its own format."""
