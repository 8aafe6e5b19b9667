"""Train a pulse network: clips, losses, the loop, validation, curves."""
