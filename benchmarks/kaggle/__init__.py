"""What the Kaggle path costs, measured against the emulated service: ``python -m benchmarks.kaggle``."""
