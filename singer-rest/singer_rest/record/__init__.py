"""Records the shapes of a vendor's responses, with every value replaced, and checks recordings."""
