"""Multi-domain training of MDNet's shared layers: one classifier a video."""
