"""Check the whole checkpoint system."""
