"""Learning rates over a run, and when the trunk's layers start to learn."""

from __future__ import annotations

import math

from visual_tracker.training.recipe import Recipe


def rate_factor(step: int, recipe: Recipe, start: int = 0) -> float:
    """Share of the peak rate at a step.

    Linear warm-up over `recipe.warmup` of the steps from `start`, the step at which these weights
    were released; then cosine or logarithmic decay that ends at `recipe.final_rate` with the run.
    """
    rising, progress = phases(step, recipe.steps, recipe.warmup, start)
    if recipe.decay == "log":
        return rising * max(recipe.final_rate, 1e-8) ** progress
    return rising * cosine_decay(progress, recipe.final_rate)


def phases(step: int, steps: int, warmup: float, start: int = 0) -> tuple[float, float]:
    """How far a run's warm-up and its decay have come at a step, each up to 1.

    Args:
        step: from 0.
        steps: of the run.
        warmup: share of them that warms up; the decay is over the others.
        start: the step from which this warm-up counts.
    """
    length = max(1, round(warmup * steps))
    rising = min(1.0, (step - start + 1) / length)
    return rising, min(1.0, max(0.0, (step - length) / max(1, steps - length)))


def cosine_decay(progress: float, floor: float) -> float:
    """Share of the peak rate, from 1 down to `floor` as `progress` goes from 0 to 1."""
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))


def release_steps(recipe: Recipe) -> list[int]:
    """The steps at which the trunk's stages are released, the last stage first.

    None are where only heads, or only boxes, learn.
    """
    stages = recipe.release_stages if recipe.learns in ("all", "features") else 0
    return [
        round((recipe.release_start + index * recipe.release_step) * recipe.steps)
        for index in range(stages)
    ]
