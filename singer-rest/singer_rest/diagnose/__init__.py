"""Reports on a tap without reading its streams: what a credential may read, and what a run costs."""
