"""Clips of videos, and the policy playing them (Yun et al., CVPR 2017, section 4.2).

Only the first and the last frame of a clip count as labelled. What lies between is played without
a look at any label; the reward of the last frame is given to every action that led there, which is
how the paper learns from partly labelled videos.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visual_tracker.adnet.actions import IntArray
from visual_tracker.adnet.episode import Choice, run_episode
from visual_tracker.adnet.history import empty_histories, encode_histories
from visual_tracker.adnet.regions import region_around
from visual_tracker.annotations import DataError, Track
from visual_tracker.boxes import BoxArray, overlaps
from visual_tracker.crops import channel_mean
from visual_tracker.images import Image, size_of
from visual_tracker.models.adnet import PolicyNetwork
from visual_tracker.models.policy_regions import EncodedRegion
from visual_tracker.training.adnet.recipe import AdnetRecipe
from visual_tracker.training.images import ImageStore
from visual_tracker.training.pairs import matches

#: draws before a clip is given up
_TRIES = 50


class Clip(NamedTuple):
    """Frames of one target; what is between the ends has no label.

    Attributes:
        images: BGR uint8, in order.
        first: (4,) the true box in the first.
        last: (4,) the true box in the last.
    """

    images: list[Image]
    first: BoxArray
    last: BoxArray


class Played(NamedTuple):
    """What the policy did in a clip played R times at once; A actions in all.

    Attributes:
        features: (A, F) of the states.
        histories: (A, 110) of the states.
        actions: int64 (A,).
        runs: (A,) which run each action belongs to.
        boxes: (R, 4) in the last frame.
    """

    features: Tensor
    histories: Tensor
    actions: Tensor
    runs: IntArray
    boxes: BoxArray


class ClipMaker:
    """Draws the clip of a number: the same number, seed and data give the same clip.

    Args:
        tracks: videos to draw from; shorter ones than a clip give shorter clips.
        images: where pictures come from.
        recipe: length, gap, mirroring.
        light: name patterns of videos that count less.
        light_weight: how much they count.

    Raises:
        DataError: if there is nothing to draw from.
    """

    def __init__(
        self,
        tracks: list[Track],
        images: ImageStore,
        recipe: AdnetRecipe,
        light: tuple[str, ...] = (),
        light_weight: float = 1.0,
    ) -> None:
        self._tracks = [track for track in tracks if len(track.frames) > 1]
        if not self._tracks:
            raise DataError("reinforcement needs videos of two frames or more; give more --data")
        weights = np.array(
            [light_weight if matches(track.name, light) else 1.0 for track in self._tracks]
        )
        self._shares = weights / weights.sum()
        self._images = images
        self._recipe = recipe

    def make(self, number: int) -> Clip:
        """Make one clip; those with a corrupt image are drawn anew.

        Raises:
            DataError: if many draws in a row were unusable.
        """
        rng = np.random.default_rng([self._recipe.seed, number, 2])
        for _ in range(_TRIES):
            clip = self._draw(rng)
            if clip is not None:
                return clip
        raise DataError(f"{_TRIES} clips in a row cannot be read; check the data")

    def _draw(self, rng: np.random.Generator) -> Clip | None:
        views = [
            view for _, view in self._tracks[rng.choice(len(self._shares), p=self._shares)].frames
        ]
        gap = min(int(rng.integers(1, self._recipe.max_gap + 1)), len(views) - 1)
        frames = min(self._recipe.clip_frames, (len(views) - 1) // gap + 1)
        start = int(rng.integers(0, len(views) - (frames - 1) * gap))
        chosen = views[start : start + (frames - 1) * gap + 1 : gap]
        if rng.random() < 0.5:
            chosen = chosen[::-1]
        images = [self._images.get(view.path) for view in chosen]
        if any(image is None for image in images):
            return None
        clip = Clip(
            [image for image in images if image is not None],
            np.array(chosen[0].box.xywh),
            np.array(chosen[-1].box.xywh),
        )
        return _mirrored(clip) if rng.random() < self._recipe.flip else clip


def _mirrored(clip: Clip) -> Clip:
    """Left and right exchanged."""
    boxes = []
    for image, box in ((clip.images[0], clip.first), (clip.images[-1], clip.last)):
        boxes.append(np.array([image.shape[1] - box[0] - box[2], *box[1:]]))
    images = [np.ascontiguousarray(image[:, ::-1]) for image in clip.images]
    return Clip(images, boxes[0], boxes[1])


def play(
    network: PolicyNetwork, clip: Clip, runs: int, size: int, max_actions: int, choose: Choice
) -> Played:
    """Follow a clip's target several times at once, from the truth in its first frame.

    The runs share each frame's region, which lies around the mean of their boxes.

    Args:
        network: in eval mode.
        clip: what to play; its labels are used for the start alone.
        runs: how many times.
        size: side of the regions in pixels.
        max_actions: most actions a frame.
        choose: how actions are chosen.
    """
    boxes = np.repeat(clip.first[None], runs, axis=0)
    histories = np.repeat(empty_histories(1), runs, axis=0)
    features: list[Tensor] = []
    states: list[IntArray] = []
    actions: list[IntArray] = []
    indices: list[IntArray] = []
    padding = channel_mean(clip.images[0])
    device = next(network.parameters()).device
    for image in clip.images[1:]:
        seen: list[Tensor] = []
        region = EncodedRegion(
            network, image, region_around(boxes.mean(axis=0), size), padding, str(device)
        )
        episode = run_episode(
            region.policy(network.head, seen), boxes, histories, size_of(image), max_actions, choose
        )
        boxes, histories = episode.boxes, episode.histories
        # the last look of an episode may be at its end, where nothing was done any more
        features += seen[: len(episode.steps)]
        states += [step.histories for step in episode.steps]
        actions += [step.actions for step in episode.steps]
        indices += [step.indices for step in episode.steps]
    return Played(
        torch.cat(features),
        torch.from_numpy(encode_histories(np.concatenate(states))).to(device),
        torch.from_numpy(np.concatenate(actions)).to(device),
        np.concatenate(indices),
        boxes,
    )


def rewards(boxes: BoxArray, truth: BoxArray, success_iou: float) -> NDArray[np.float64]:
    """1 for each box that overlaps the truth by more than `success_iou`, -1 for the others.

    Args:
        boxes: (R, 4) at the end of a clip's runs.
        truth: (4,).
        success_iou: the paper's is .7.
    """
    return np.where(overlaps(boxes, truth) > success_iou, 1.0, -1.0)


def advantages(values: NDArray[np.float64], baseline: bool) -> NDArray[np.float64]:
    """Rewards (R,) of a clip's runs, less the mean of the other runs' if there are several.

    The mean of the others does not depend on a run's own actions, so the gradient's expectation
    stays what it is (Williams, 1992), and its variance falls.
    """
    runs = len(values)
    if not baseline or runs < 2:
        return values
    return values - (values.sum() - values) / (runs - 1)
