"""The entity sets of the OData services, and how they are read."""
