"""Privacy: protection classes of columns, the profiles that act on them, and pseudonyms."""
