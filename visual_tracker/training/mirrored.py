"""A teacher's answers to crops and to the same crops in the mirror, as one.

What a network makes of a crop and of its mirror image differs by errors that are half independent,
so that the mean of both answers is nearer to the truth: NanoTrack v3 tracks better by it, at twice
the time, which in training nobody waits for. Answers may be averaged, features not: they say what
lies left of a place and what right (docs/experiments.md, 30 and 34).
"""

from __future__ import annotations

import torch
from torch import Tensor

from visual_tracker.training.teachers.nanotrack import Lesson, NanoTrackTeacher


def mirrored_answers(
    teacher: NanoTrackTeacher, template: Tensor, search: Tensor, others: int
) -> tuple[Tensor, Tensor]:
    """Logits (N, 15, 15) and boxes (N, 4, 15, 15) of mirrored crops, as of those given.

    Args:
        teacher: see there for the crops.
        template: (B, 3, 127, 127).
        search: (B, 3, 255, 255).
        others: how many other templates of the batch to look for, too.
    """
    seen: Lesson = teacher(template.flip(-1), search.flip(-1), others)
    x, y, width, height = seen.boxes.flip(-1).unbind(dim=1)
    return seen.logits.flip(-1), torch.stack((-x, y, width, height), dim=1)


def with_both(lesson: Lesson, logits: Tensor, boxes: Tensor) -> Lesson:
    """A lesson whose answers are the mean of its own and others.

    Args:
        lesson: as the teacher gave it.
        logits: of others, in the shape of the lesson's.
        boxes: of others; of sizes the mean is the geometric one.
    """
    centers = (lesson.boxes[:, :2] + boxes[:, :2]) / 2
    sizes = ((lesson.boxes[:, 2:].log() + boxes[:, 2:].log()) / 2).exp()
    return lesson._replace(
        logits=(lesson.logits + logits) / 2, boxes=torch.cat((centers, sizes), dim=1)
    )
