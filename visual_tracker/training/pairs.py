"""Which two views make a training pair.

Zhu et al., "Distractor-aware Siamese Networks for Visual Object Tracking", ECCV 2018, section 3.2:
positive pairs from videos within a frame gap and from stills; negative pairs of the same class and
of different classes.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from fnmatch import fnmatch

import numpy as np

from visual_tracker.annotations import Collection, DataError, Still, Track, View
from visual_tracker.boxes import Box
from visual_tracker.training.recipe import Recipe, names

#: draws before a wish for another object is given up
_TRIES = 8

#: sides of a part, in sides of the object
_PART_SHARE = (0.3, 0.8)
#: least side of a part in pixels
_MIN_PART = 24.0


@dataclass(frozen=True, slots=True)
class Pair:
    """A template and where to search for it.

    Attributes:
        template: the target.
        search: the same target elsewhere or later, or another object.
        positive: True if both show the same target.
        still: True if both are one image.
    """

    template: View
    search: View
    positive: bool
    still: bool


def split_tracks(
    tracks: list[Track], share: float, light: tuple[str, ...]
) -> tuple[list[Track], list[Track]]:
    """Divide videos into those for training and those for validation, by their names alone.

    Light videos (:attr:`Recipe.light_videos`) all go to training: they tell little.
    """
    ranked = sorted(
        (track for track in tracks if not matches(track.name, light)),
        key=lambda track: zlib.crc32(track.name.encode()),
    )
    held_out = {track.name for track in ranked[: round(share * len(ranked))]}
    training = [track for track in tracks if track.name not in held_out]
    return training, [track for track in tracks if track.name in held_out]


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """True if a name fits one of the patterns."""
    return any(fnmatch(name, pattern) for pattern in patterns)


def part_of(box: Box, rng: np.random.Generator) -> Box | None:
    """A box inside another, of a third to four fifths of its sides; None if too small to use."""
    width = box.width * rng.uniform(*_PART_SHARE)
    height = box.height * rng.uniform(*_PART_SHARE)
    if min(width, height) < _MIN_PART:
        return None
    x = box.x + rng.uniform(0, box.width - width)
    y = box.y + rng.uniform(0, box.height - height)
    return Box(x, y, width, height)


class PairSampler:
    """Draws pairs; each draw depends on its random generator alone.

    Args:
        tracks: videos to draw from.
        stills: images to draw from.
        recipe: shares, gap and weights.

    Raises:
        DataError: if there is nothing to draw from.
    """

    def __init__(self, tracks: list[Track], stills: list[Still], recipe: Recipe) -> None:
        self._recipe = recipe
        self._tracks = tracks
        light = names(recipe.light_videos)
        weights = [recipe.light_weight if matches(track.name, light) else 1.0 for track in tracks]
        self._track_shares = np.asarray(weights) / max(sum(weights), 1e-9)
        left_out = set(names(recipe.left_out_labels))
        self._stills = [
            kept
            for still in stills
            if (kept := [view for view in still.objects if view.label not in left_out])
        ]
        if not self._tracks and not self._stills:
            raise DataError("there is nothing to draw pairs from")
        self._by_label = self._index_labels(stills, left_out)

    def _index_labels(self, stills: list[Still], left_out: set[str]) -> dict[str, list[View]]:
        """Views by class, of sets whose objects are all boxed."""
        incomplete = names(self._recipe.incomplete_sources)
        by_label: dict[str, list[View]] = {}
        for still in stills:
            if any(part.lower() in still.source.lower() for part in incomplete):
                continue
            for view in still.objects:
                if view.label not in left_out:
                    by_label.setdefault(view.label, []).append(view)
        for track in self._tracks:
            by_label.setdefault(track.label, []).extend(view for _, view in track.frames)
        return by_label

    def draw(self, rng: np.random.Generator) -> Pair:
        """Draw a pair."""
        pair = self._positive(rng)
        if rng.random() >= self._recipe.negative_pairs:
            return pair
        other = self._other(pair.template, rng)
        if other is None:
            return pair
        return Pair(pair.template, other, positive=False, still=False)

    def another(self, view: View, rng: np.random.Generator) -> View | None:
        """An object to paste beside `view`: of its class if the draw says so, or of any."""
        return self._other(view, rng)

    def draw_scene(self, rng: np.random.Generator) -> tuple[Track | None, View | None]:
        """Draw a video, or else an object of a still or a part of it."""
        video = rng.random() < self._recipe.video_share
        if self._tracks and (video or not self._stills):
            return self._tracks[rng.choice(len(self._tracks), p=self._track_shares)], None
        return None, self._perhaps_a_part(self._from_still(rng), rng)

    def _positive(self, rng: np.random.Generator) -> Pair:
        track, view = self.draw_scene(rng)
        if track is not None:
            return self._from_video(track, rng)
        assert view is not None  # it is one or the other
        return Pair(view, view, positive=True, still=True)

    def _from_video(self, track: Track, rng: np.random.Generator) -> Pair:
        number, template = track.frames[rng.integers(len(track.frames))]
        near = [view for other, view in track.frames if abs(other - number) <= self._recipe.max_gap]
        search = near[rng.integers(len(near))]
        return Pair(template, search, positive=True, still=False)

    def _from_still(self, rng: np.random.Generator) -> View:
        objects = self._stills[rng.integers(len(self._stills))]
        return objects[rng.integers(len(objects))]

    def _perhaps_a_part(self, view: View, rng: np.random.Generator) -> View:
        """A part of the object by chance: people track faces and wheels, too."""
        if rng.random() >= self._recipe.parts:
            return view
        part = part_of(view.box, rng)
        return view if part is None else replace(view, box=part, label="", polygons=())

    def _other(self, view: View, rng: np.random.Generator) -> View | None:
        """A view of another scene, of the same class or of another one; None if none turned up."""
        same = rng.random() < self._recipe.same_class and view.label in self._by_label
        for _ in range(_TRIES):
            if same:
                group = self._by_label[view.label]
                other = group[rng.integers(len(group))]
            else:
                other = self._positive(rng).search
            if other.scene != view.scene and (other.label == view.label) == same:
                return other
        return None


def make_sampler(collection: Collection, recipe: Recipe) -> tuple[PairSampler, list[Track]]:
    """The sampler of a collection's training part, and the videos held out."""
    training, held_out = split_tracks(
        collection.tracks, recipe.validation_share, names(recipe.light_videos)
    )
    return PairSampler(training, collection.stills, recipe), held_out
