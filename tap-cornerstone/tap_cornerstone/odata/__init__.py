"""What the OData services offer, and how it is read."""
