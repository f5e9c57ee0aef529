"""Search crops cut by torch where the network runs: one upload for all crops of a batch.

The host copies what each crop is made of (`visual_tracker.crops.source_part`) into one pinned
buffer, behind a line of numbers for each crop, and that goes up in one copy. The device then does
what `visual_tracker.crops.take_crop` does with OpenCV: bilinear samples, a colour beyond the
border, rounded to whole levels. Every shape is fixed by the batch and the size of the crops, so
that it can be part of a CUDA graph; parts of any size are read through their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from visual_tracker.crops import source_part
from visual_tracker.images import Image
from visual_tracker.models.matchers import Question

#: most crops of one upload
MOST_CROPS = 16
#: of a crop, float64: first pixel, columns and rows of its part; step; x and y of the crop's first
#: pixel in the part; colour (B, G, R) beyond the image; one spare
_NUMBERS = 10
_LINE_BYTES = _NUMBERS * 8
_HEADER_BYTES = MOST_CROPS * _LINE_BYTES
#: capacity to begin with: a few local searches, or one wide one
_FIRST_CAPACITY = 2**20


class Upload:
    """The buffers in which parts of images go to the device.

    Args:
        device: torch device.
        capacity: in pixels.

    Attributes:
        capacity: in pixels.
        on_device: uint8, what `cut_crops` reads; its place never changes.
    """

    def __init__(self, device: str, capacity: int = _FIRST_CAPACITY) -> None:
        self.capacity = capacity
        size = _HEADER_BYTES + 3 * capacity
        pin = device.startswith("cuda")
        self._pinned = torch.zeros(size, dtype=torch.uint8, pin_memory=pin)
        self._host = self._pinned.numpy()
        self.on_device = torch.zeros(size, dtype=torch.uint8, device=device)

    def put(self, sources: Sequence[Source], lines: int) -> None:
        """Send the parts of a batch; the copy before must have ended.

        Args:
            sources: at most MOST_CROPS, together at most `capacity` pixels.
            lines: crops that will be cut, at least as many as sources; those without a source are
                the first one's.
        """
        header = self._host[: lines * _LINE_BYTES].view(np.float64).reshape(lines, _NUMBERS)
        end = 0
        for line, source in zip(header, sources, strict=False):
            source.describe(line, end)
            begin = _HEADER_BYTES + 3 * end
            end += source.pixels
            place = self._host[begin : _HEADER_BYTES + 3 * end]
            np.copyto(place.reshape(source.part.shape), source.part)
        header[len(sources) :] = header[0]
        used = _HEADER_BYTES + 3 * end
        self.on_device[:used].copy_(self._pinned[:used], non_blocking=True)


class Source:
    """What a crop is made of.

    Args:
        question: about the crop.
    """

    def __init__(self, question: Question) -> None:
        self.part: Image
        self.part, self._frame = source_part(question.image, question.frame)
        self._padding = question.padding

    @property
    def pixels(self) -> int:
        """Pixels of the part."""
        return self.part.shape[0] * self.part.shape[1]

    def describe(self, line: np.ndarray, first: int) -> None:
        """Write the crop's numbers; `first` is the part's place in the buffer, in pixels."""
        (step, _, left), (_, _, top) = self._frame.warp()
        rows, columns = self.part.shape[:2]
        line[:6] = first, columns, rows, step, left, top
        line[6:9] = self._padding


def cut_crops(upload: Tensor, batch: int, height: int, width: int) -> Tensor:
    """Cut crops of one size out of an upload.

    Args:
        upload: `Upload.on_device`.
        batch: crops, as many as lines were put.
        height: of the crops.
        width: of the crops.

    Returns:
        (batch, 3, height, width), BGR, float32 of whole numbers in 0..255, channels last.
    """
    numbers = upload[: batch * _LINE_BYTES].view(torch.float64).view(batch, _NUMBERS)
    pixels = upload[_HEADER_BYTES:].view(-1, 3)
    first, columns, rows = numbers[:, :3].long().unbind(1)
    step, left, top = numbers[:, 3:6].unbind(1)
    padding = numbers[:, 6:9].float()[:, None, None]
    xs = left[:, None] + step[:, None] * torch.arange(width, device=upload.device)
    ys = top[:, None] + step[:, None] * torch.arange(height, device=upload.device)
    x, y = xs.floor(), ys.floor()
    right, down = (xs - x).float()[:, None, :, None], (ys - y).float()[:, :, None, None]
    x, y = x.long(), y.long()

    def values(y: Tensor, x: Tensor) -> Tensor:
        inside_x, inside_y = (x >= 0) & (x < columns[:, None]), (y >= 0) & (y < rows[:, None])
        x = torch.minimum(x.clamp(min=0), columns[:, None] - 1)
        y = torch.minimum(y.clamp(min=0), rows[:, None] - 1)
        places = first[:, None, None] + y[:, :, None] * columns[:, None, None] + x[:, None, :]
        inside = (inside_y[:, :, None] & inside_x[:, None, :])[..., None]
        return torch.where(inside, pixels[places].float(), padding)

    upper = torch.lerp(values(y, x), values(y, x + 1), right)
    lower = torch.lerp(values(y + 1, x), values(y + 1, x + 1), right)
    return torch.lerp(upper, lower, down).round().permute(0, 3, 1, 2)
