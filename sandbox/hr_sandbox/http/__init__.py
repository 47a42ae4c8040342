"""What the vendors and the server share about HTTP: messages, routing, access, tokens, limits, faults."""
