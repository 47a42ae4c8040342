"""Charts and a page about the HR models that are built into a DuckDB file.

`figures` has a function per chart, from a connection to a `Figure` with its SQL, definition and Altair chart; `page`
writes all of them as one HTML page.
"""
