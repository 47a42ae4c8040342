"""Charts and a page about the HR models that are built into a DuckDB file.

`figures` has a function per chart, from a connection to a `Figure`: its SQL, definition and Vega-Lite specification;
`page` writes all of them as one HTML page.
"""
