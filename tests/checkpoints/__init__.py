"""Checkpoints: exactness, crash safety, hostile input."""
