"""Benchmarks of the node: camera, tracker and client as real processes."""
