"""Camera buffers to BGR: the encodings that drivers send, straight from the bytes.

The names are those of ROS's ``sensor_msgs/image_encodings``, but nothing here needs ROS. Row
padding (`step`) and endianness are honoured, lengths are checked, and nothing is copied where the
buffer is BGR already.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from visual_tracker.images import Image, ImageError

Buffer = Any  # bytes, bytearray, memoryview, array.array or a uint8 array


class UnknownEncodingError(ImageError):
    """An encoding that is not understood here; the message lists those that are."""


@dataclass(frozen=True, slots=True)
class _Encoding:
    """How the bytes lie and how they become BGR.

    Attributes:
        bytes_per_pixel: of one image row.
        to_bgr: takes the view (rows, width, bytes_per_pixel) and gives BGR.
        high_byte_only: 16-bit samples of which the high byte is taken.
        even: what must be even for the sub-sampling: "", "width" or "width and height".
        rows: rows in the buffer as a fraction of the image's height (2 and 3: three halves).
    """

    bytes_per_pixel: int
    to_bgr: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
    high_byte_only: bool = False
    even: str = ""
    rows: tuple[int, int] = (1, 1)


def _convert(code: int) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    return lambda pixels: cv2.cvtColor(pixels, code)


def _unchanged(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels


_GREY = _Encoding(1, _convert(cv2.COLOR_GRAY2BGR))
_BGR = _Encoding(3, _unchanged)
_UYVY = _Encoding(2, _convert(cv2.COLOR_YUV2BGR_UYVY), even="width")
_YUYV = _Encoding(2, _convert(cv2.COLOR_YUV2BGR_YUY2), even="width")

# OpenCV names a Bayer pattern by the second row's second and third pixel, ROS by the first two rows
_BAYER = {
    "rggb": cv2.COLOR_BayerBG2BGR,
    "bggr": cv2.COLOR_BayerRG2BGR,
    "gbrg": cv2.COLOR_BayerGR2BGR,
    "grbg": cv2.COLOR_BayerGB2BGR,
}

_ENCODINGS: dict[str, _Encoding] = {
    "bgr8": _BGR,
    "8UC3": _BGR,
    "rgb8": _Encoding(3, _convert(cv2.COLOR_RGB2BGR)),
    "bgra8": _Encoding(4, _convert(cv2.COLOR_BGRA2BGR)),
    "8UC4": _Encoding(4, _convert(cv2.COLOR_BGRA2BGR)),
    "rgba8": _Encoding(4, _convert(cv2.COLOR_RGBA2BGR)),
    "mono8": _GREY,
    "8UC1": _GREY,
    "mono16": _Encoding(2, _convert(cv2.COLOR_GRAY2BGR), high_byte_only=True),
    "yuv422": _UYVY,
    "uyvy": _UYVY,
    "yuv422_yuy2": _YUYV,
    "yuyv": _YUYV,
    "nv12": _Encoding(1, _convert(cv2.COLOR_YUV2BGR_NV12), even="width and height", rows=(3, 2)),
    "nv21": _Encoding(1, _convert(cv2.COLOR_YUV2BGR_NV21), even="width and height", rows=(3, 2)),
    **{f"bayer_{name}8": _Encoding(1, _convert(code)) for name, code in _BAYER.items()},
    **{
        f"bayer_{name}16": _Encoding(2, _convert(code), high_byte_only=True)
        for name, code in _BAYER.items()
    },
}

#: the first bytes of the formats that a compressed image may have
_SIGNATURES = {"JPEG": b"\xff\xd8\xff", "PNG": b"\x89PNG\r\n\x1a\n"}


def understood_encodings() -> tuple[str, ...]:
    """The encodings that :func:`decode` takes."""
    return tuple(_ENCODINGS)


def check_layout(encoding: str, width: int, height: int, step: int, data: Buffer) -> None:
    """Raise if :func:`decode` could not read this buffer; costs no pass over the pixels.

    Args:
        encoding: one of :func:`understood_encodings`.
        width: columns of the image.
        height: rows of the image.
        step: bytes from the start of one row to the start of the next.
        data: the buffer.

    Raises:
        UnknownEncodingError: if the encoding is not one of :func:`understood_encodings`.
        ImageError: if the image is empty, or step or the buffer is too short for it.
    """
    layout = _ENCODINGS.get(encoding)
    if layout is None:
        raise UnknownEncodingError(
            f"encoding '{encoding}' is not understood; understood are "
            f"{', '.join(understood_encodings())}"
        )
    if width <= 0 or height <= 0:
        raise ImageError(f"the image is empty: {width}x{height}")
    if ("width" in layout.even and width % 2) or ("height" in layout.even and height % 2):
        raise ImageError(f"{encoding} needs an even {layout.even}, not {width}x{height}")
    row = width * layout.bytes_per_pixel
    if step < row:
        raise ImageError(f"step is {step} bytes, but {width} pixels of {encoding} take {row}")
    needed = step * (_rows(layout, height) - 1) + row
    length = memoryview(data).nbytes
    if length < needed:
        raise ImageError(
            f"the image is truncated: {length} bytes, but {width}x{height} {encoding} "
            f"with step {step} takes {needed}"
        )


def decode(
    encoding: str, width: int, height: int, step: int, data: Buffer, *, big_endian: bool = False
) -> Image:
    """Turn a camera's buffer into BGR uint8 of shape (height, width, 3).

    bgr8 and 8UC3 give a view of `data` (its rows may be `step` apart); treat it as read-only.
    16-bit samples keep their high byte.

    Args:
        encoding: one of :func:`understood_encodings`.
        width: columns of the image.
        height: rows of the image.
        step: bytes from the start of one row to the start of the next.
        data: the buffer.
        big_endian: order of the two bytes of 16-bit samples.

    Raises:
        ImageError: as :func:`check_layout`.
    """
    check_layout(encoding, width, height, step, data)
    layout = _ENCODINGS[encoding]
    pixel_bytes = layout.bytes_per_pixel
    rows = _rows(layout, height)
    if layout.high_byte_only:
        offset = 0 if big_endian else 1
        shape, strides = (rows, width, 1), (step, pixel_bytes, 1)
        view = np.ndarray(shape, np.uint8, memoryview(data).cast("B"), offset, strides)
        # OpenCV wants the samples side by side
        return layout.to_bgr(np.ascontiguousarray(view))
    shape, strides = (rows, width, pixel_bytes), (step, pixel_bytes, 1)
    return layout.to_bgr(np.ndarray(shape, np.uint8, memoryview(data).cast("B"), 0, strides))


def check_compressed(data: Buffer) -> None:
    """Raise if the bytes do not start as a JPEG or PNG; costs nothing.

    Raises:
        ImageError: if there are none or they start otherwise.
    """
    head = bytes(memoryview(data)[:8])
    if not head:
        raise ImageError("the compressed image is empty")
    if not any(head.startswith(signature) for signature in _SIGNATURES.values()):
        raise ImageError(
            f"the compressed image starts with {head.hex(' ')}, which is neither "
            f"{' nor '.join(_SIGNATURES)}"
        )


#: bytes from the end in which a JPEG's end mark is; cameras fill up with zeros
_JPEG_TAIL = 4096


def _is_cut_off(data: Buffer) -> bool:
    """Whether a JPEG lacks its end, which OpenCV before 4.11 fills up with grey."""
    view = memoryview(data).cast("B")
    is_jpeg = bytes(view[:3]) == _SIGNATURES["JPEG"]
    return is_jpeg and b"\xff\xd9" not in bytes(view[-_JPEG_TAIL:])


#: pixels where the camera has them: a turn that the file asks for would move them under the boxes
_AS_SENT = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


def decode_compressed(data: Buffer) -> Image:
    """Decode a JPEG or PNG to BGR uint8 of shape (height, width, 3).

    Raises:
        ImageError: if it is neither or is damaged beyond decoding.
    """
    check_compressed(data)
    problem = f"the compressed image of {len(data)} bytes cannot be decoded"
    if _is_cut_off(data):
        raise ImageError(f"{problem}: it is cut off")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), _AS_SENT)
    except cv2.error as error:  # a header that claims more pixels than OpenCV takes
        raise ImageError(f"{problem}: {error.err}") from error
    if image is None:
        raise ImageError(problem)
    return image


def _rows(layout: _Encoding, height: int) -> int:
    numerator, denominator = layout.rows
    return height * numerator // denominator
