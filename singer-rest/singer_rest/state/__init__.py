"""Bookmarks, table versions and checkpoints."""
