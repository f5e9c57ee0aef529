"""What a training run of ADNet does, as one dataclass: the one source of its defaults."""

from __future__ import annotations

from dataclasses import dataclass

from visual_tracker.parameters import Parameters, parameter


@dataclass(frozen=True)
class AdnetRecipe(Parameters):
    """Everything but data, network, stage and folders; kept in every checkpoint."""

    seed: int = parameter(0, "Seed of every random choice.", minimum=0)
    steps: int = parameter(700, "Optimiser steps.", minimum=1)
    learning_rate: float = parameter(1e-3, "Peak rate (AdamW).", minimum=0.0)
    final_rate: float = parameter(0.02, "Last rate as a share of the peak.", minimum=0.0)
    warmup: float = parameter(0.03, "Share of the steps that warm up.", minimum=0.0, maximum=1.0)
    weight_decay: float = parameter(1e-3, "Decoupled weight decay (AdamW).", minimum=0.0)
    clip: float = parameter(5.0, "Largest norm of the gradient.", minimum=0.0)

    scenes: int = parameter(10, "Supervised: images a step.", minimum=1)
    near_boxes: int = parameter(20, "Supervised: boxes by backward actions an image.", minimum=1)
    random_boxes: int = parameter(
        16, "Supervised: boxes spread around the target an image.", minimum=0
    )
    longest: int = parameter(8, "Most backward actions from the truth.", minimum=0, maximum=50)
    spread: float = parameter(
        0.35, "Standard deviation of the spread boxes, in mean sides.", minimum=0.0
    )
    spread_scale: float = parameter(
        3.0, "Standard deviation of their size, as a power of 1.05.", minimum=0.0
    )
    least_iou: float = parameter(
        0.3, "Boxes that overlap less teach no action.", minimum=0.0, maximum=1.0
    )
    video_share: float = parameter(
        0.6, "Share of the images from videos.", minimum=0.0, maximum=1.0
    )

    clips: int = parameter(2, "Reinforcement: clips a step.", minimum=1)
    clip_frames: int = parameter(10, "Reinforcement: frames a clip.", minimum=2)
    runs: int = parameter(6, "Reinforcement: times that a clip is played at once.", minimum=1)
    max_gap: int = parameter(
        1, "Reinforcement: clips take every first to max_gap-th frame.", minimum=1
    )
    baseline: bool = parameter(
        True, "Reinforcement: subtract the mean reward of a clip's runs; the paper does not."
    )
    supervised_weight: float = parameter(
        1.0, "Reinforcement: weight of the supervised loss beside it.", minimum=0.0
    )
    success_iou: float = parameter(
        0.7, "A clip that ends above earns 1, otherwise -1.", minimum=0.0, maximum=1.0
    )
    max_actions: int = parameter(20, "Most actions a frame.", minimum=1, maximum=100)

    region: int = parameter(
        193, "Side of the regions in pixels, of the form 16 n + 1.", minimum=113, maximum=513
    )
    region_shift: float = parameter(
        0.2, "Shift of the region around the target, in mean sides.", minimum=0.0, maximum=1.0
    )
    region_scale: float = parameter(0.2, "Scale of the region, +- share.", minimum=0.0, maximum=0.9)
    stretch: float = parameter(0.2, "Change of the aspect, +- share, in stills.", minimum=0.0)
    flip: float = parameter(0.5, "Mirrored images.", minimum=0.0, maximum=1.0)
    grey: float = parameter(0.1, "Grey images.", minimum=0.0, maximum=1.0)
    blur: float = parameter(0.15, "Images with motion blur.", minimum=0.0, maximum=1.0)
    light: float = parameter(0.25, "Brightness and contrast, +- share.", minimum=0.0, maximum=1.0)

    validation_share: float = parameter(
        0.15, "Share of the videos held out.", minimum=0.0, maximum=0.9
    )
    validation_scenes: int = parameter(48, "Images or clips of a validation.", minimum=1)
    validate_every: int = parameter(100, "Steps between validations.", minimum=1)
    checkpoint_every: int = parameter(50, "Steps between checkpoints.", minimum=1)
