"""What may leave the tap: protection classes of columns, profiles, and pseudonyms."""
