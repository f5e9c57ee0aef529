"""Keeping evaluation sequences out of the training data.

They are found by name, by file (the same bytes) and by picture (whatever its size and compression).
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from zipfile import BadZipFile

import cv2
import numpy as np
from numpy.typing import NDArray

from visual_tracker.annotations import Collection, DataError, Still, Track
from visual_tracker.images import Image
from visual_tracker.sources import IMAGE_SUFFIXES
from visual_tracker.training.images import ImageStore

log = logging.getLogger(__name__)

#: a picture's bits, bool (256,)
Fingerprint = NDArray[np.bool_]

_SIDE = 16

#: width and height of a thumbnail
THUMBNAIL_SIZE = _SIDE + 1, _SIDE

#: of 256 bits, those in which two pictures of one scene may differ
MAX_DIFFERENCE = 24

#: reason under which a collection counts what was left out
REASON = "evaluation sequence"

#: the videos of OTB-100, on which every tracker is measured; written as OTB writes them, for DAVIS
#: has a "dog" that is not OTB's "Dog"
OTB_100 = (
    "Basketball", "Biker", "Bird1", "Bird2", "BlurBody", "BlurCar1", "BlurCar2", "BlurCar3",
    "BlurCar4", "BlurFace", "BlurOwl", "Board", "Bolt", "Bolt2", "Box", "Boy", "Car1", "Car2",
    "Car24", "Car4", "CarDark", "CarScale", "ClifBar", "Coke", "Couple", "Coupon", "Crossing",
    "Crowds", "Dancer", "Dancer2", "David", "David2", "David3", "Deer", "Diving", "Dog", "Dog1",
    "Doll", "DragonBaby", "Dudek", "FaceOcc1", "FaceOcc2", "Fish", "FleetFace", "Football",
    "Football1", "Freeman1", "Freeman3", "Freeman4", "Girl", "Girl2", "Gym", "Human2", "Human3",
    "Human4", "Human5", "Human6", "Human7", "Human8", "Human9", "Ironman", "Jogging", "Jump",
    "Jumping", "KiteSurf", "Lemming", "Liquor", "Man", "Matrix", "Mhyang", "MotorRolling",
    "MountainBike", "Panda", "RedTeam", "Rubik", "Shaking", "Singer1", "Singer2", "Skater",
    "Skater2", "Skating1", "Skating2", "Skiing", "Soccer", "Subway", "Surfer", "Suv",
    "Sylvester", "Tiger1", "Tiger2", "Toy", "Trans", "Trellis", "Twinnings", "Vase", "Walking",
    "Walking2", "Woman",
)  # fmt: skip

#: folders that hold a video's images but do not name it
_IMAGE_FOLDERS = frozenset({"img", "imgs", "images", "frames", "color", "rgb"})

#: what people add to a video's name: the set before it, the target or a range of frames behind it
_PREFIX = re.compile(r"^otb(?:50|100|13|15|2013|2015)?[-_]", re.IGNORECASE)
_TARGET = re.compile(r"[-.][12]$")
_RANGE = re.compile(r"_\d+-\d+$")

_CACHE = "excluded.npz"


def thumbnail(image: Image) -> Image:
    """All of a picture that its fingerprint is made of: a grey 16x17 grid.

    Args:
        image: uint8, BGR (height, width, 3) or grey (height, width), such as a thumbnail.
    """
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return cv2.resize(grey, THUMBNAIL_SIZE, interpolation=cv2.INTER_AREA)


def fingerprint(image: Image) -> Fingerprint:
    """Difference hash: each bit says if a cell of the thumbnail is darker than the next.

    Args:
        image: as for :func:`thumbnail`.
    """
    small = thumbnail(image)
    return (small[:, 1:] > small[:, :-1]).ravel()


def _signs(bits: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.where(bits, np.float32(1), np.float32(-1))


def _disagreements(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.int32]:
    """How many signs of (n, 256) and (m, 256) differ, pair by pair: (n, m).

    From a product of matrices, for NumPy counts bits more slowly.
    """
    return ((first.shape[-1] - first @ second.T) / 2).round().astype(np.int32)


@dataclass(frozen=True)
class Exclusions:
    """What must not be trained on. Without folders only the names of OTB-100 are known.

    Attributes:
        names: names of videos, as written.
        files: the images of the folders by their size in bytes.
        prints: fingerprints of these images, (n, 256).
    """

    names: frozenset[str] = frozenset(OTB_100)
    files: dict[int, list[Path]] = field(default_factory=dict)
    prints: NDArray[np.bool_] = field(
        default_factory=lambda: np.zeros((0, _SIDE * _SIDE), dtype=np.bool_)
    )

    @classmethod
    def read(cls, folders: Sequence[Path], cache: Path | None = None) -> Exclusions:
        """Every image of folders of evaluation data, and the videos that they make up.

        Args:
            folders: any layout; an image's folder names its video (or the folder above `img`);
                none for the names of OTB-100 alone.
            cache: folder to keep the fingerprints in, so that a resumed run starts at once.

        Raises:
            DataError: if a folder holds no image.
        """
        if not folders:
            return cls()
        found: list[Path] = []
        for folder in folders:
            images = _images_below(folder)
            if not images:
                raise DataError(f"{folder} holds no image to exclude")
            found += images
        paths = [path.resolve() for path in found]
        files: dict[int, list[Path]] = {}
        for path in paths:
            files.setdefault(path.stat().st_size, []).append(path)
        # a link's own name, and that of what it leads to
        names = {_plain(video_name(path)) for path in (*found, *paths)} | set(OTB_100)
        return cls(frozenset(names), files, _fingerprints(paths, cache))

    def names_video(self, name: str) -> bool:
        """True if a video of that name is one of them, whatever set or range is added to it."""
        plain = _plain(name)
        return plain in self.names or _TARGET.sub("", plain) in self.names

    def holds_file(self, path: Path) -> bool:
        """True if a file is, byte for byte, one of the images. Only equal sizes are read."""
        if not self.files or not path.is_file():
            return False
        rivals = self.files.get(path.stat().st_size, [])
        return bool(rivals) and _digest(path) in {_digest(rival) for rival in rivals}

    def shows(self, image: Image) -> bool:
        """True if a picture is one of the images, or differs in MAX_DIFFERENCE bits at most."""
        if not len(self.prints):
            return False
        different = _disagreements(_signs(fingerprint(image)[None]), self._print_signs)
        return bool(different.min() <= MAX_DIFFERENCE)

    @cached_property
    def _print_signs(self) -> NDArray[np.float32]:
        return _signs(self.prints)


def leave_out(collection: Collection, exclusions: Exclusions) -> None:
    """Remove evaluation videos, by name or by a file, and evaluation stills from a collection.

    What is left out is logged by name and counted in `collection.skipped`. Pictures that were
    compressed anew are found when they are decoded (:class:`ImageStore`).
    """
    tracks = [track for track in collection.tracks if not _is_excluded(track, exclusions)]
    stills = [still for still in collection.stills if not _still_excluded(still, exclusions)]
    count = len(collection.tracks) - len(tracks) + len(collection.stills) - len(stills)
    collection.tracks[:], collection.stills[:] = tracks, stills
    if count:
        collection.skipped[REASON] += count


def drop_unusable_frames(collection: Collection, images: ImageStore) -> None:
    """Remove frames that cannot be read or show an excluded picture, and videos left without any.

    Every picture of the videos is decoded once. Stills stay as they are.

    Args:
        collection: changed in place.
        images: says which pictures can be used, and logs the others.

    Raises:
        DataError: if no video is left.
    """
    tracks = []
    for track in collection.tracks:
        frames = tuple(entry for entry in track.frames if images.get(entry[1].path) is not None)
        if frames:
            tracks.append(replace(track, frames=frames))
    if not tracks:
        raise DataError("no picture of a video is left; check --data and --exclude")
    collection.tracks[:] = tracks


def _images_below(folder: Path) -> list[Path]:
    """Every image in a folder and those below it, also through links, each folder once."""
    images, seen = [], {folder.resolve()}
    for place, below, files in os.walk(folder, followlinks=True):
        images += [Path(place, name) for name in files]
        # a link may lead back up
        real = {name: Path(place, name).resolve() for name in sorted(below)}
        below[:] = [name for name, folder in real.items() if folder not in seen]
        seen.update(real.values())
    return sorted(path for path in images if path.suffix.lower() in IMAGE_SUFFIXES)


def _is_excluded(track: Track, exclusions: Exclusions) -> bool:
    paths = [view.path for _, view in track.frames]
    if exclusions.names_video(track.name) or exclusions.names_video(video_name(paths[0])):
        log.warning("left out video %s: an evaluation sequence has its name", track.name)
        return True
    copy = next((path for path in paths if exclusions.holds_file(path)), None)
    if copy is not None:
        log.warning("left out video %s: %s is an image of the evaluation data", track.name, copy)
    return copy is not None


def _still_excluded(still: Still, exclusions: Exclusions) -> bool:
    path = still.objects[0].path
    if not exclusions.holds_file(path):
        return False
    log.warning("left out %s: it is an image of the evaluation data", path)
    return True


def video_name(path: Path) -> str:
    """Name of the video that an image belongs to, by its folder."""
    folder = path.parent
    return folder.parent.name if folder.name.lower() in _IMAGE_FOLDERS else folder.name


def _plain(name: str) -> str:
    return _RANGE.sub("", _PREFIX.sub("", name))


def _digest(path: Path) -> bytes:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).digest()


def _fingerprints(paths: list[Path], cache: Path | None) -> NDArray[np.bool_]:
    """Fingerprints of images (n, 256), read from the cache if the same files made it."""
    stats = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    key = hashlib.blake2b(repr(stats).encode(), digest_size=16).hexdigest()
    kept = cache / _CACHE if cache is not None else None
    if kept is not None and (known := _read_cache(kept, key)) is not None:
        return known
    prints = np.stack([_file_fingerprint(path) for path in paths])
    if kept is not None:
        _write_cache(kept, key, prints)
    return prints


def _write_cache(path: Path, key: str, prints: NDArray[np.bool_]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")  # several processes of a run may write at once
    with partial.open("wb") as file:
        np.savez(file, key=np.array(key), prints=np.packbits(prints, axis=1))
    partial.replace(path)


def _read_cache(path: Path, key: str) -> NDArray[np.bool_] | None:
    try:
        with np.load(path) as arrays:
            if str(arrays["key"]) == key:
                return np.unpackbits(arrays["prints"], axis=1).astype(np.bool_)
    except (OSError, EOFError, KeyError, ValueError, BadZipFile):
        return None
    return None


def _file_fingerprint(path: Path) -> Fingerprint:
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise DataError(f"{path} is to be excluded but cannot be read as an image")
    return fingerprint(image)
