"""Reinforcement-learning training that survives any number of bounded, unreliable sessions."""

__version__ = "0.1.0"
