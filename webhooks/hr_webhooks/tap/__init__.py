"""The Singer tap that reads the journal."""
