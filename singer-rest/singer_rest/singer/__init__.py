"""The Singer side: the SDK, schemas, records, messages, the command line."""
