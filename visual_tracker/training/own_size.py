"""What a teacher sees where the target has its own size in the search crop.

A SiamRPN network boxes what it expects: in a crop in which the target is a third too large, because
the tracker's last box was, NanoTrack v3's box is still a fifth too large (docs/experiments.md, 27).
So a tracker's error in size hardly heals: what the network gets wrong by a tenth grows until the
network sees it, by a third. A crop in which the target has the size that the template shows is what
the teacher knows best, and its box there, brought back, is what a network should say in any crop.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from visual_tracker.crops import context_area
from visual_tracker.models.geometry import LITE_RPN
from visual_tracker.training.teachers.nanotrack import SEARCH_SIZE, Lesson

#: the teacher's box is the best one within this share of the target's mean side from its centre
_NEAR = 0.5


def own_scale(boxes: Tensor) -> Tensor:
    """How many times larger targets are than our template crop shows them, (B,).

    The teacher's template is cut out of that crop, not shrunk from it.

    Args:
        boxes: (B, 4), centre x, centre y, width, height of the target from the search crop's
            centre, in pixels; of width 0 where there is none, which has its own size.
    """
    width, height = boxes[:, 2], boxes[:, 3]
    side = context_area(width, height).sqrt()
    return torch.where(width > 0, side / LITE_RPN.context_size, torch.ones_like(side))


def at_own_size(search: Tensor, scale: Tensor) -> Tensor:
    """Search crops, made anew around their centres so that the target has its own size.

    Where that shows more than the crop, there is the crop's mean colour.

    Args:
        search: (B, 3, S, S).
        scale: (B,), see :func:`own_scale`.

    Returns:
        (B, 3, 255, 255).
    """
    maps = torch.zeros(len(search), 2, 3, device=search.device)
    maps[:, 0, 0] = maps[:, 1, 1] = scale * (SEARCH_SIZE / search.shape[-1])
    shape = (len(search), search.shape[1], SEARCH_SIZE, SEARCH_SIZE)
    grid = functional.affine_grid(maps, list(shape), align_corners=False)
    mean = search.mean(dim=(2, 3), keepdim=True)
    return functional.grid_sample(search - mean, grid, align_corners=False) + mean


def best_boxes(lesson: Lesson, boxes: Tensor) -> Tensor:
    """The teacher's surest box near each target: (B, 4).

    Args:
        lesson: of B crops.
        boxes: (B, 4) of the targets in those.
    """
    centers = boxes[:, :2, None, None]
    sides = (boxes[:, 2] * boxes[:, 3]).sqrt()[:, None, None]
    theirs = lesson.boxes.float()
    is_near = (theirs[:, :2] - centers).norm(dim=1) < _NEAR * sides
    sure = lesson.logits.float().masked_fill(~is_near, -torch.inf).flatten(1)
    # none near: where it is surest of all
    best = torch.where(
        is_near.flatten(1).any(dim=1), sure.argmax(dim=1), lesson.logits.flatten(1).argmax(dim=1)
    )
    return theirs.flatten(2)[torch.arange(len(best), device=best.device), :, best]
