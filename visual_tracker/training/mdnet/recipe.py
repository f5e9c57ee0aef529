"""What a multi-domain training run does, as one dataclass: the one source of its defaults."""

from __future__ import annotations

from dataclasses import dataclass

from visual_tracker.parameters import Parameters, parameter


@dataclass(frozen=True)
class MdNetRecipe(Parameters):
    """Everything but data, network and folders; kept in every checkpoint."""

    seed: int = parameter(0, "Seed of every random choice.", minimum=0)
    cycles: int = parameter(10, "Rounds in which each video gives one step.", minimum=1)
    frames: int = parameter(8, "Frames of a video in a step.", minimum=1)
    positives: int = parameter(32, "Positives of a step, over its frames.", minimum=1)
    negatives: int = parameter(96, "Negatives of a step.", minimum=1)
    pool: int = parameter(384, "Negatives drawn for it, of which the hardest are taken.", minimum=1)
    views: int = parameter(
        2, "Views of each frame, shifted, scaled, every other one mirrored.", minimum=1
    )
    shift: float = parameter(
        0.5, "Farthest shift of a view, in target sides.", minimum=0.0, maximum=1.0
    )
    zoom: float = parameter(
        0.2, "Largest change of a view's scale, +- share.", minimum=0.0, maximum=0.9
    )

    learning_rate: float = parameter(1e-2, "Rate of fc4 and fc5; fc6 has ten times.", minimum=0.0)
    final_rate: float = parameter(0.05, "Last rate as a share of the first.", minimum=0.0)
    momentum: float = parameter(0.9, "Of the gradient descent.", minimum=0.0, maximum=1.0)
    weight_decay: float = parameter(5e-4, "Of the gradient descent.", minimum=0.0)
    clip: float = parameter(10.0, "Largest norm of the gradient.", minimum=0.0)

    light_videos: str = parameter(
        "fod_*,cow_*", "Videos that are never held out: patterns of names, by commas."
    )
    validation_share: float = parameter(
        0.15, "Share of the other videos held out.", minimum=0.0, maximum=0.9
    )
    validate_every: int = parameter(5, "Cycles between validations.", minimum=1)
    checkpoint_every: int = parameter(5, "Cycles between checkpoints.", minimum=1)
