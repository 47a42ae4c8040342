"""Singer tap for Cornerstone OnDemand."""
