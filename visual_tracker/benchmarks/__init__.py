"""Benchmarks of speed and load; for how good trackers are see `visual_tracker.evaluation`."""
