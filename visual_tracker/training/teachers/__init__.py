"""Trackers trained elsewhere that teach ours: their features and responses are extra targets."""
