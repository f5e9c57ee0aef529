"""Training: data, pairs, augmentation, losses and the loop."""
