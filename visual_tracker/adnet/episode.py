"""Moving boxes by the policy until it stops (Yun et al., CVPR 2017, section 3.3).

An episode is what happens in one frame. It ends with the action STOP, when the box comes back to
where it has been (an oscillation, like left and right in turn), or after a number of actions.
Tracking follows one box; training by reinforcement follows several at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visual_tracker.adnet.actions import Action, IntArray, apply_actions
from visual_tracker.adnet.history import remember
from visual_tracker.boxes import BoxArray

FloatArray = NDArray[np.float64]

#: boxes whose edges differ by less than this many pixels are the same
_SAME = 1e-3


class Outputs(NamedTuple):
    """What the policy says of N states.

    Attributes:
        probabilities: (N, 11) of the actions.
        confidences: (N,) probability that the box shows the target.
    """

    probabilities: FloatArray
    confidences: FloatArray


Policy = Callable[[BoxArray, IntArray], Outputs]
"""From boxes (N, 4) and histories (N, 10)."""

Choice = Callable[[FloatArray], IntArray]
"""From probabilities (N, 11) to actions (N,)."""


@dataclass
class Step:
    """One action of the boxes that still moved.

    Attributes:
        indices: (M,) which boxes of the episode these are.
        boxes: (M, 4) before the action.
        histories: (M, 10) before the action.
        actions: (M,).
    """

    indices: IntArray
    boxes: BoxArray
    histories: IntArray
    actions: IntArray


@dataclass
class Episode:
    """How the episode of N boxes went.

    Attributes:
        boxes: (N, 4) at its end.
        histories: (N, 10) at its end.
        confidences: (N,) at the end.
        steps: in order.
        oscillated: (N,) whether the box came back to where it had been.
    """

    boxes: BoxArray
    histories: IntArray
    confidences: FloatArray
    steps: list[Step]
    oscillated: NDArray[np.bool_]


def most_probable(probabilities: FloatArray) -> IntArray:
    """The action of the highest probability of each row."""
    return np.asarray(probabilities.argmax(axis=1))


def drawn_by(rng: np.random.Generator) -> Choice:
    """A choice that draws actions by their probabilities."""

    def choose(probabilities: FloatArray) -> IntArray:
        edges = probabilities.cumsum(axis=1)
        draws = rng.random((len(edges), 1)) * edges[:, -1:]
        return np.asarray((edges <= draws).sum(axis=1)).clip(max=probabilities.shape[1] - 1)

    return choose


def run_episode(
    policy: Policy,
    boxes: BoxArray,
    histories: IntArray,
    image_size: tuple[int, int],
    max_actions: int,
    choose: Choice = most_probable,
) -> Episode:
    """Move boxes by the policy until each has stopped.

    Args:
        policy: what to ask.
        boxes: (N, 4) where they start.
        histories: (N, 10) of earlier frames.
        image_size: width and height in pixels; centres do not leave the image, and sides do not
            outgrow it.
        max_actions: most actions of a box.
        choose: how an action follows from the probabilities.
    """
    boxes = np.array(boxes, float)
    episode = Episode(boxes, histories, np.zeros(len(boxes)), [], np.zeros(len(boxes), bool))
    visited: list[BoxArray] = []
    confidences: list[FloatArray] = []
    moving = np.arange(len(boxes))
    for _ in range(max_actions):
        outputs = policy(episode.boxes[moving], episode.histories[moving])
        episode.confidences[moving] = outputs.confidences
        visited.append(episode.boxes.copy())
        confidences.append(episode.confidences.copy())
        actions = choose(outputs.probabilities)
        moving = _act(episode, moving, actions, image_size, visited, confidences)
        if not len(moving):
            return episode
    outputs = policy(episode.boxes[moving], episode.histories[moving])
    episode.confidences[moving] = outputs.confidences
    return episode


def _act(
    episode: Episode,
    moving: IntArray,
    actions: IntArray,
    image_size: tuple[int, int],
    visited: list[BoxArray],
    confidences: list[FloatArray],
) -> IntArray:
    """Take one action of each moving box, and return which boxes move on."""
    before, histories = episode.boxes[moving], episode.histories[moving]
    episode.steps.append(Step(moving, before, histories, actions))
    episode.histories = episode.histories.copy()
    episode.histories[moving] = remember(histories, actions)
    after = keep_inside(apply_actions(before, actions), image_size)
    # STOP leaves the box as it is, even one that reaches out of the image.
    stops = actions == Action.STOP
    episode.boxes[moving[~stops]] = after[~stops]
    been = np.stack(visited)[:, moving]
    same = (np.abs(been - after) < _SAME).all(axis=2) & ~stops
    returns = same.any(axis=0)
    if returns.any():
        places = moving[returns]
        episode.confidences[places] = np.stack(confidences)[same[:, returns].argmax(axis=0), places]
        episode.oscillated[places] = True
    return np.asarray(moving[~stops & ~returns])


def keep_inside(boxes: BoxArray, image_size: tuple[int, int]) -> BoxArray:
    """Boxes whose centre lies in the image and whose sides fit into it, the aspect kept.

    Args:
        boxes: (..., 4).
        image_size: width and height in pixels.
    """
    size = np.array(image_size, float)
    sides = boxes[..., 2:] * np.minimum(1.0, (size / boxes[..., 2:]).min(axis=-1, keepdims=True))
    centers = np.clip(boxes[..., :2] + boxes[..., 2:] / 2, 0, size)
    return np.concatenate([centers - sides / 2, sides], axis=-1)
