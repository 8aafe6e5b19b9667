"""Train a pulse network: clips, losses, training loop, validation, loss curves."""
