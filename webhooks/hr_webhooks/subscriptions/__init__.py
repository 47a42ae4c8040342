"""Subscriptions at the vendors: made, checked, changed and removed over their APIs.

These are the only parts of the collection that write to a vendor.
"""
