"""`python -m visual_tracker.cli`, as torchrun starts it."""

from visual_tracker.cli import main

main()
