"""Cost of checkpoints against Stable-Baselines3, TorchRL and a raw write of the same bytes."""
