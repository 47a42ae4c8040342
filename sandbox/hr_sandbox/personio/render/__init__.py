"""The company's records in Personio's words."""
