"""The HTTP code that the vendors and the server share: messages, routing, access, tokens, limits, faults."""
