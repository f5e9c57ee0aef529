"""The parameters of DaSiamRPN; what each is for says `visual_tracker.trackers.dasiamrpn`."""

from __future__ import annotations

from dataclasses import dataclass

from visual_tracker.parameters import Applies, parameter
from visual_tracker.trackers.siamrpn import SiamRpnParameters


@dataclass(frozen=True)
class DaSiamRpnParameters(SiamRpnParameters):
    """Parameters of DaSiamRPN; the defaults were chosen on videos of the training data."""

    size_rate: float = parameter(
        0.8,
        "How fast the size follows, at full score and confidence.",
        minimum=0.0,
        maximum=1.0,
    )
    found_threshold: float = parameter(
        -1.0,
        "Found again when the confidence rises above this, or that of frames in a row adds up to "
        "as much; negative: as calibrated.",
        minimum=-1.0,
        maximum=1.0,
    )
    hysteresis: float = parameter(
        1.0,
        "How far below lost_threshold the frames in a row that make a loss must add up, and above "
        "it those that undo it, in logits; 0: one frame does.",
        minimum=0.0,
        maximum=10.0,
    )
    calibrated: bool = parameter(
        True, "Confidence is the calibrated probability, where there is one for the weights."
    )
    long_term: bool = parameter(
        True, "Search a growing region, too, while lost; false only follows the best proposal."
    )
    patience: int = parameter(
        5,
        "A growing region is searched, too, once more frames in a row than these were reported "
        "lost.",
        minimum=0,
        maximum=10000,
    )
    search_growth: int = parameter(
        128,
        "Growth of the search region a frame while lost, in network pixels.",
        minimum=1,
        maximum=1024,
    )
    largest_search: int = parameter(
        449,
        "Largest side of a search crop in network pixels; a larger region is searched in tiles.",
        minimum=257,
        maximum=4097,
    )
    reidentify: bool = parameter(
        True,
        "Found again only if it looks like the first and the recent templates; less confidence "
        "does where it was lost.",
    )
    found_similarity: float = parameter(
        -1.0,
        "Least similarity to the first and to a recent template; negative: as calibrated.",
        minimum=-1.0,
        maximum=1.0,
    )
    confirm_frames: int = parameter(
        1, "Found again when it is found in so many frames in a row.", minimum=1, maximum=100
    )
    target_model: bool = parameter(
        True,
        "Learn a filter of the target on line and rank by it too.",
        applies=Applies.AT_NEXT_INIT,
    )
    model_weight: float = parameter(
        1.0, "Weight of the filter against the network's score.", minimum=0.0, maximum=10.0
    )
    model_channels: int = parameter(
        32,
        "Channels of the filter: principal components of the network's features.",
        minimum=1,
        maximum=512,
        applies=Applies.AT_NEXT_INIT,
    )
    model_decay: float = parameter(
        0.98,
        "Factor by which a learned frame counts less with each one learned after it.",
        minimum=0.0,
        maximum=1.0,
        applies=Applies.AT_NEXT_INIT,
    )
    model_distractor_weight: float = parameter(
        1.0,
        "Weight of a distractor against another sample of the surroundings; 0: not learned.",
        minimum=0.0,
        maximum=100.0,
        applies=Applies.AT_NEXT_INIT,
    )
    learn_delay: int = parameter(
        12,
        "A frame is learned when no doubt has come up in so many frames after it; 0: at once, for "
        "targets that are never covered.",
        minimum=0,
        maximum=1000,
    )
    learn_every: int = parameter(
        4, "The filter and the recent templates learn every n-th frame.", minimum=1, maximum=1000
    )
    template_share: float = parameter(
        0.5,
        "Share of later templates in the one searched for; 0 keeps the first.",
        minimum=0.0,
        maximum=1.0,
    )
    template_rate: float = parameter(
        0.2, "Weight of a new template among the later ones.", minimum=0.0, maximum=1.0
    )
    template_threshold: float = parameter(
        0.8, "Confidence above which the template is updated.", minimum=0.0, maximum=1.0
    )
    box_correction: float = parameter(
        0.4,
        "Share of the boxes' error in the first frame that is taken off later boxes.",
        minimum=0.0,
        maximum=1.0,
        applies=Applies.AT_NEXT_INIT,
    )
    check_every: int = parameter(
        4,
        "The box is checked against the first frame at another scale every n-th frame; 0: never.",
        minimum=0,
        maximum=1000,
    )
    check_margin: float = parameter(
        0.08,
        "By so much another box must look more like the first frame's to replace the present one.",
        minimum=0.0,
        maximum=1.0,
    )
    distractor_aware: bool = parameter(True, "Rank proposals by the distractor-aware template.")
    distractor_weight: float = parameter(
        0.1, "Weight of the similarity to the combined template.", minimum=0.0, maximum=10.0
    )
    distractor_strength: float = parameter(
        0.5,
        "How much distractors count against the target (the paper's a^).",
        minimum=0.0,
        maximum=10.0,
    )
    distractor_threshold: float = parameter(
        0.5, "A candidate with a higher score is a distractor.", minimum=0.0, maximum=1.0
    )
    track_distractors: bool = parameter(
        True, "Follow distractors, too, and take none that is known for the target."
    )
    learn_threshold: float = parameter(
        0.4, "Confidence above which templates and filter learn.", minimum=0.0, maximum=1.0
    )
    candidates: int = parameter(8, "Proposals that are ranked anew.", minimum=1, maximum=100)
    suppression: float = parameter(
        0.3, "IoU above which a lesser proposal is suppressed.", minimum=0.0, maximum=1.0
    )
