"""The cases from which a confidence is learned: videos with frames that do not show the target.

Every video is slowed down to a live camera's rate, and comes four times: as it is, with another
clip cut in, through a camera that looks away, and with something that covers the target.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from visual_tracker.annotations import Collection, DataError, Track
from visual_tracker.evaluation import longterm_cases, occlusions
from visual_tracker.evaluation.datasets.videos import sequence_of
from visual_tracker.evaluation.sequences import FileFrames, Sequence
from visual_tracker.training.pairs import matches, split_tracks
from visual_tracker.training.recipe import Recipe, names
from visual_tracker.training.slow_motion import slowed

#: frames kept of a slowed video, and of another that is cut into it
CASE_FRAMES, CUT_FRAMES = 150, 60
#: frames that a camera needs to look away and back
_CAMERA_FRAMES = 140
#: videos of fewer frames are left out
_SHORTEST = 12


@dataclass(frozen=True)
class Case:
    """A sequence to learn from.

    Attributes:
        sequence: with frames in which the target cannot be seen, or none.
        held_out: whether the network has never seen it.
    """

    sequence: Sequence
    held_out: bool


def make_cases(
    collection: Collection,
    recipe: Recipe,
    others: int | None = None,
    seed: int = 0,
    slow: int = 3,
) -> list[Case]:
    """Cases of the held-out videos and of some that the network was trained on.

    Args:
        collection: the data that the network was trained on.
        recipe: that of its training; says which videos were held out.
        others: how many of the training videos to take, None for all.
        seed: of what is cut in, of the camera's way, and of what covers the target. An odd one has
            the videos as they are played backwards.
        slow: how much slower than the data the cases are; 1 for videos that keep every frame.

    Raises:
        DataError: if there are not two videos.
    """
    light = names(recipe.light_videos)
    training, held_out = split_tracks(collection.tracks, recipe.validation_share, light)
    training = [track for track in training if not matches(track.name, light)]
    usable = [
        track for track in (*held_out, *_spread(training, others)) if len(track.frames) >= _SHORTEST
    ]
    if len(usable) < 2:
        raise DataError("calibration needs two videos or more; give the training data's folders")
    unseen = {track.name for track in held_out}
    videos = [sequence_of(track) for track in usable]
    return [
        Case(sequence, video.name in unseen)
        for sequences in _variants(videos, seed, slow)
        for sequence, video in sequences
    ]


def _variants(
    videos: list[Sequence], seed: int, slow: int
) -> list[list[tuple[Sequence, Sequence]]]:
    """Every case with the video that it is made of, kind by kind."""
    clips = [slowed(_first_frames(video, 1 + (CASE_FRAMES - 1) // slow), slow) for video in videos]
    long = [index for index, clip in enumerate(clips) if len(clip) >= _CAMERA_FRAMES]
    viewed = longterm_cases.virtual_camera([clips[index] for index in long], seed)
    played = [slowed(_backwards(video) if seed % 2 else video, slow) for video in videos]
    return [
        list(zip(longterm_cases.splice(clips, seed, CUT_FRAMES), videos, strict=True)),
        list(zip(viewed, [videos[index] for index in long], strict=True)),
        list(zip(occlusions.occlude(clips, seed), videos, strict=True)),
        list(zip(played, videos, strict=True)),
    ]


def _spread(tracks: list[Track], count: int | None) -> list[Track]:
    """`count` of the tracks, spread evenly; all for None."""
    if count is None or count >= len(tracks):
        return tracks
    return [tracks[index * len(tracks) // count] for index in range(count)]


def _picked(sequence: Sequence, order: list[int]) -> Sequence:
    assert isinstance(sequence.frames, FileFrames)  # as `sequence_of` makes them
    frames = FileFrames(tuple(sequence.frames.files[index] for index in order))
    return replace(
        sequence, frames=frames, truth=sequence.truth[order], visible=sequence.visible[order]
    )


def _first_frames(sequence: Sequence, count: int) -> Sequence:
    return _picked(sequence, list(range(min(count, len(sequence)))))


def _backwards(sequence: Sequence) -> Sequence:
    return _picked(sequence, list(range(len(sequence)))[::-1])
