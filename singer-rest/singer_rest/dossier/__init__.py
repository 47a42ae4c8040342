"""The dossier: what a run would load, for whoever has to agree to it, and the check that a run loads no more."""
