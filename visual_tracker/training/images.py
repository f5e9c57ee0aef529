"""Decoded images of files and packs, kept in memory as far as a budget allows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from visual_tracker.crops import channel_mean
from visual_tracker.images import Image
from visual_tracker.training.packs import SUFFIX, PackReader

log = logging.getLogger(__name__)

#: images kept beyond the budget: a sample asks for each of its own twice
_RECENT = 8


class ImageStore:
    """Images by path. One not to be used is reported once, counted, and None from then on.

    Args:
        budget: bytes of decoded images to keep; further ones are decoded at every use.
        is_excluded: says which pictures must not be used (those of the evaluation data).

    Attributes:
        corrupt: files that cannot be read as images.
        excluded: files of excluded pictures.
    """

    def __init__(self, budget: int = 0, is_excluded: Callable[[Image], bool] | None = None) -> None:
        self._budget = budget
        self._is_excluded = is_excluded
        self._allowed: set[Path] = set()
        self._kept: dict[Path, Image] = {}
        self._recent: dict[Path, Image] = {}
        self._packs: dict[Path, PackReader] = {}
        self._untold: set[Path] = set()
        self._means: dict[Path, NDArray[np.float64]] = {}
        self.corrupt: set[Path] = set()
        self.excluded: set[Path] = set()

    def preload(self, paths: Iterable[Path]) -> None:
        """Decode images until the budget is spent (before worker processes start: they share)."""
        for path in paths:
            if self._budget <= 0:
                return
            image = self.get(path)
            if image is not None:
                self._kept[path] = image
                self._budget -= image.nbytes

    def get(self, path: Path) -> Image | None:
        """The image as BGR uint8 (height, width, 3), or None if it must not or cannot be used."""
        if path in self._kept:
            return self._kept[path]
        if path in self._recent:
            return self._recent[path]
        if path in self.corrupt or path in self.excluded:
            return None
        image = self._read(path)
        if image is None:
            self.corrupt.add(path)
            log.warning("skipped %s: it cannot be read as an image", path)
            return None
        if not self._may_show(path, image):
            return None
        if len(self._recent) >= _RECENT:
            del self._recent[next(iter(self._recent))]
        self._recent[path] = image
        return image

    def _read(self, path: Path) -> Image | None:
        pack = self._pack_of(path)
        return pack.image(int(path.name)) if pack else cv2.imread(str(path), cv2.IMREAD_COLOR)

    def _pack_of(self, path: Path) -> PackReader | None:
        """The pack that an image lies in, None if it is a file."""
        if path.parent.suffix != SUFFIX:
            return None
        if path.parent not in self._packs:
            self._packs[path.parent] = PackReader(path.parent)
        return self._packs[path.parent]

    def whole(self, path: Path) -> Image | None:
        """What a pack keeps of the whole picture of which an image is a part (a thumbnail)."""
        pack = self._pack_of(path)
        whole = pack.thumbnail(int(path.name)) if pack else None
        if pack and whole is None and path.parent not in self._untold:
            self._untold.add(path.parent)
            log.warning(
                "%s was packed by an older version: pictures of the evaluation data cannot be told "
                "by what was cut off; pack it anew", path.parent,
            )  # fmt: skip
        return whole

    def _may_show(self, path: Path, image: Image) -> bool:
        if self._is_excluded is None or path in self._allowed:
            return True
        whole = self.whole(path)
        if self._is_excluded(image) or (whole is not None and self._is_excluded(whole)):
            self.excluded.add(path)
            log.warning("skipped %s: it shows an image of the evaluation data", path)
            return False
        self._allowed.add(path)
        return True

    def size(self, path: Path) -> tuple[int, int] | None:
        """Width and height of an image, None if it must not or cannot be used."""
        image = self.get(path)
        return None if image is None else (image.shape[1], image.shape[0])

    def mean(self, path: Path, image: Image) -> NDArray[np.float64]:
        """Mean of each channel (B, G, R) of an image of this store, worked out once."""
        if path not in self._means:
            self._means[path] = channel_mean(image)
        return self._means[path]
