"""Training of ADNet's policy: supervised by demonstrations, then by reinforcement."""
