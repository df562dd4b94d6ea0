"""Runs side by side: what was set differently, how they learned, and which checkpoint is worth keeping."""
