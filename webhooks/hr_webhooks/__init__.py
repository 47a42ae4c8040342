"""Receives webhooks of HR vendors: a server that writes each event to a journal, and what reads it.

`config`, `addresses`, `journal` and `server` start without the Singer SDK; a contract of the import linter keeps it so.
"""
