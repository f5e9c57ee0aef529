"""What a training run does, as one dataclass: the one source of its defaults."""

from __future__ import annotations

from dataclasses import dataclass

from visual_tracker.parameters import Parameters, parameter


@dataclass(frozen=True)
class Recipe(Parameters):
    """Everything but data, network and folders; kept in every checkpoint."""

    seed: int = parameter(0, "Seed of every random choice.", minimum=0)
    steps: int = parameter(2000, "Optimiser steps.", minimum=1)
    batch: int = parameter(32, "Samples a step, over all processes.", minimum=1)
    accumulate: int = parameter(1, "Forward passes a step; saves memory.", minimum=1)

    learning_rate: float = parameter(1e-3, "Peak rate of neck and heads.", minimum=0.0)
    trunk_rate: float = parameter(1e-4, "Peak rate of the released trunk layers.", minimum=0.0)
    final_rate: float = parameter(0.01, "Last rate as a share of the peak.", minimum=0.0)
    warmup: float = parameter(0.03, "Share of the steps that warm up.", minimum=0.0, maximum=1.0)
    decay: str = parameter("cosine", "Decay after the warm-up.", choices=("cosine", "log"))
    muon: float = parameter(
        0.0,
        "Rate of Muon, for 1x1 layers, as a multiple of their rate; 0: AdamW for all.",
        minimum=0.0,
    )
    weight_decay: float = parameter(1e-4, "Decoupled weight decay (AdamW).", minimum=0.0)
    clip: float = parameter(10.0, "Largest norm of the gradient.", minimum=0.0)
    average: float = parameter(
        0.998, "Decay of the weights' moving average.", minimum=0.0, maximum=1.0
    )
    release_start: float = parameter(
        0.2, "Share of the steps before the trunk's last stage is released.", minimum=0.0
    )
    release_step: float = parameter(
        0.1, "Share of the steps between two releases, from the last stage down.", minimum=0.0
    )
    release_stages: int = parameter(
        2,
        "Trunk stages released in the end; 0 keeps it frozen, as learns=heads and boxes do.",
        minimum=0,
    )

    location_weight: float = parameter(1.2, "Weight of the box loss.", minimum=0.0)
    smooth_l1_beta: float = parameter(0.1, "Where smooth L1 turns linear.", minimum=0.001)
    positives: int = parameter(16, "Positive anchors a pair, at most.", minimum=1)
    negatives: int = parameter(48, "Negative anchors a pair.", minimum=1)
    hard_negatives: float = parameter(
        0.33, "Share of the negatives that are the highest scoring.", minimum=0.0, maximum=1.0
    )
    positive_iou: float = parameter(0.6, "Anchors above are positive.", minimum=0.0, maximum=1.0)
    negative_iou: float = parameter(0.3, "Anchors below are negative.", minimum=0.0, maximum=1.0)
    radius: float = parameter(
        16.0, "Networks of one response: cells within are positive, in pixels.", minimum=1.0
    )

    teacher: str = parameter(
        "", "NanoTrack v3's file (safetensors) as a teacher of `lite`; empty: none."
    )
    truth: float = parameter(
        1.0, "Weight of labels and boxes of the data, beside what a teacher says.", minimum=0.0
    )
    teacher_features: float = parameter(
        1.0, "Weight of having the teacher's features.", minimum=0.0
    )
    teacher_template: float = parameter(
        0.0, "Weight of having them of the template, too.", minimum=0.0
    )
    detached_heads: bool = parameter(
        False,
        "With a teacher: trunk and neck learn its features alone, heads what they make of them.",
    )
    teacher_scores: float = parameter(
        1.0, "Weight of the teacher's probability in each cell.", minimum=0.0
    )
    teacher_response: float = parameter(
        0.2, "Weight of looking where the teacher looks.", minimum=0.0
    )
    teacher_temperature: float = parameter(
        2.0, "Softens both responses before they are compared.", minimum=0.1
    )
    teacher_boxes: float = parameter(1.0, "Weight of the teacher's boxes.", minimum=0.0)
    teacher_own_size: float = parameter(
        0.0,
        "How far its boxes are the one it gives where the target has its own size in the crop: 0 "
        "those of the crop at hand, 1 that one.",
        minimum=0.0,
        maximum=1.0,
    )
    teacher_mirrored: bool = parameter(
        False,
        "Its answers are the mean of those to the crops and to the crops in the mirror; not with "
        "teacher_maps, which are not the same there.",
    )
    teacher_clear: bool = parameter(
        False,
        "It sees the crops clear: without the changes of light and colour, blur, coarseness and "
        "compression that ours have.",
    )
    teacher_maps: float = parameter(
        0.0, "Weight of having the maps of its heads, which then read our features.", minimum=0.0
    )
    fresh_heads: bool = parameter(
        False, "Heads begin anew; with teacher_maps, with mean and spread of the teacher's maps."
    )
    learns: str = parameter(
        "all",
        "What learns: all; features, which is trunk and neck; heads, the branches on them; or "
        "boxes, the branch that makes them, but for its norms. The rest stays as it was.",
        choices=("all", "features", "heads", "boxes"),
    )
    teacher_others: float = parameter(
        0.0, "Weight of its probability and response where the template is of another object.",
        minimum=0.0,
    )  # fmt: skip
    others: int = parameter(
        0, "Other templates of the batch that a teacher looks for in each search crop, too.",
        minimum=0,
    )  # fmt: skip

    video_share: float = parameter(
        0.5, "Share of positive pairs from videos.", minimum=0.0, maximum=1.0
    )
    max_gap: int = parameter(100, "Most frames between template and search.", minimum=1)
    frames: int = parameter(
        8, "Networks that remember: samples of a sequence, which follow each other.", minimum=2
    )
    frame_gap: int = parameter(
        3, "Networks that remember: most frames from one of a sequence to the next.", minimum=1
    )
    parts: float = parameter(
        0.5, "Stills whose target is a part of an object.", minimum=0.0, maximum=1.0
    )
    negative_pairs: float = parameter(0.2, "Share of negative pairs.", minimum=0.0, maximum=1.0)
    same_class: float = parameter(
        0.5, "Share of negative pairs within one class.", minimum=0.0, maximum=1.0
    )
    light_videos: str = parameter(
        "fod_*,cow_*", "Videos that count less: patterns of names, by commas."
    )
    light_weight: float = parameter(0.15, "How much they count.", minimum=0.0)
    left_out_labels: str = parameter(
        "fruit-vegetable", "Classes of stills to leave out, by commas."
    )
    incomplete_sources: str = parameter(
        "GTEA,Amenity,DeepLogo,saigak,groceries,car-object",
        "Sets with unboxed objects (parts of their names): no negatives of the same class there.",
    )
    validation_share: float = parameter(
        0.15, "Share of the videos held out.", minimum=0.0, maximum=0.9
    )
    validation_pairs: int = parameter(96, "Pairs of a validation.", minimum=1)

    template_shift: float = parameter(4.0, "Template shift in pixels.", minimum=0.0)
    template_scale: float = parameter(0.05, "Template scale, +- share.", minimum=0.0, maximum=0.9)
    search_shift: float = parameter(64.0, "Search shift in pixels.", minimum=0.0)
    search_scale: float = parameter(0.22, "Search scale, +- share.", minimum=0.0, maximum=0.9)
    stretch: float = parameter(
        0.15, "Change of the aspect, +- share, in stills and half as much in videos.", minimum=0.0
    )
    rotation: float = parameter(
        15.0, "Turn of the search crop, +- degrees, in stills and half as much in videos.",
        minimum=0.0, maximum=90.0,
    )  # fmt: skip
    shear: float = parameter(
        0.1, "Shear of the search crop, +- share, in stills and half as much in videos.",
        minimum=0.0, maximum=1.0,
    )  # fmt: skip
    min_content: float = parameter(
        0.25, "Search crops that show less of their image are drawn anew.", minimum=0.0, maximum=1.0
    )
    backgrounds: float = parameter(
        0.6, "Search crops whose border shows another image.", minimum=0.0, maximum=1.0
    )
    flip: float = parameter(0.5, "Mirrored pairs.", minimum=0.0, maximum=1.0)
    grey: float = parameter(0.1, "Grey pairs.", minimum=0.0, maximum=1.0)
    blur: float = parameter(0.3, "Crops with motion blur.", minimum=0.0, maximum=1.0)
    blur_length: float = parameter(41.0, "Longest motion blur in pixels.", minimum=3.0)
    coarse: float = parameter(
        0.3, "Crops as of a small target, without its details.", minimum=0.0, maximum=1.0
    )
    coarseness: float = parameter(4.0, "How many times smaller, at most.", minimum=1.0)
    light: float = parameter(0.25, "Brightness and contrast, +- share.", minimum=0.0, maximum=1.0)
    compression: float = parameter(0.1, "Crops compressed anew.", minimum=0.0, maximum=1.0)
    distractors: float = parameter(
        0.3, "Search crops with a pasted object of another image.", minimum=0.0, maximum=1.0
    )
    occluders: float = parameter(
        0.15, "Search crops with a pasted patch over the target.", minimum=0.0, maximum=1.0
    )

    validate_every: int = parameter(200, "Steps between validations.", minimum=1)
    checkpoint_every: int = parameter(100, "Steps between checkpoints.", minimum=1)

    @property
    def asks_heads(self) -> bool:
        """Whether the loss looks at what the heads answer, or at a teacher's features alone."""
        answers = (
            self.truth, self.teacher_scores, self.teacher_response, self.teacher_boxes,
            self.teacher_maps,
        )  # fmt: skip
        return not self.teacher or self.learns != "features" or any(answers)


def names(text: str) -> tuple[str, ...]:
    """Read a list of names separated by commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
