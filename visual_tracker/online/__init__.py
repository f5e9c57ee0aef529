"""What trackers that learn their target on line share: samples, their memory, the training."""
