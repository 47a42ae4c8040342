"""What monitoring learns of a run: names of streams, outcomes and numbers. Never a value, an id or a setting."""
