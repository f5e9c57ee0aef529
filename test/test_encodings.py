"""Every encoding, against buffers packed here by slow loops from the definitions.

The YUV references use ITU-R BT.601 with limited range (Y 16..235, U and V 16..240), which is what
cameras send; OpenCV computes with fixed-point numbers, hence the tolerance of two levels.
"""

from __future__ import annotations

import array
import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from visual_tracker.boxes import Box
from visual_tracker.encodings import (
    UnknownEncodingError,
    check_compressed,
    check_layout,
    decode,
    decode_compressed,
    understood_encodings,
)
from visual_tracker.images import ImageError
from visual_tracker.trackers import create_tracker

Pixels = NDArray[np.uint8]

PACKED = {
    "bgr8": "bgr",
    "8UC3": "bgr",
    "rgb8": "rgb",
    "bgra8": "bgra",
    "8UC4": "bgra",
    "rgba8": "rgba",
}
GREY = ("mono8", "8UC1")
YUV422 = {"yuv422": "uyvy", "uyvy": "uyvy", "yuv422_yuy2": "yuyv", "yuyv": "yuyv"}
YUV420 = {"nv12": "uv", "nv21": "vu"}
BAYER8 = tuple(f"bayer_{pattern}8" for pattern in ("rggb", "bggr", "gbrg", "grbg"))
BAYER16 = tuple(f"bayer_{pattern}16" for pattern in ("rggb", "bggr", "gbrg", "grbg"))
SIXTEEN_BIT = ("mono16", *BAYER16)

# bytes of one row for a width
ROW_BYTES = {
    **{name: len(order) for name, order in PACKED.items()},
    **dict.fromkeys((*GREY, *YUV420, *BAYER8), 1),
    **dict.fromkeys((*YUV422, *SIXTEEN_BIT), 2),
}

paddings = pytest.mark.parametrize("padding", [0, 5])


def random_pixels(width: int, height: int, channels: int, seed: int = 1) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def with_padding(rows: list[list[int]], padding: int) -> tuple[int, bytes]:
    """(step, buffer) of rows of bytes, each followed by bytes that must not be read."""
    step = len(rows[0]) + padding
    return step, b"".join(bytes(row) + b"\xcd" * padding for row in rows)


def clamp(value: float) -> int:
    return int(min(255, max(0, round(value))))


def bgr_of_yuv(y: int, u: int, v: int) -> tuple[int, int, int]:
    luma, blue, red = 255 / 219 * (y - 16), 255 / 224 * (u - 128), 255 / 224 * (v - 128)
    return (
        clamp(luma + 1.772 * blue),
        clamp(luma - 0.344136 * blue - 0.714136 * red),
        clamp(luma + 1.402 * red),
    )


def random_yuv(width: int, height: int, seed: int = 2) -> tuple[Pixels, Pixels, Pixels]:
    """Y at full size, U and V at quarter size, in the range of moderate colours."""
    random = np.random.default_rng(seed)
    luma = random.integers(60, 190, (height, width), np.uint8)
    half = ((height + 1) // 2, (width + 1) // 2)
    return luma, random.integers(90, 166, half, np.uint8), random.integers(90, 166, half, np.uint8)


def test_every_encoding_that_is_understood_is_tested_here() -> None:
    assert set(understood_encodings()) == set(ROW_BYTES)


@paddings
@pytest.mark.parametrize("encoding", PACKED)
def test_packed_colours_come_out_exactly(encoding: str, padding: int) -> None:
    order = PACKED[encoding]
    source = random_pixels(7, 5, len(order))
    step, data = with_padding([row.ravel().tolist() for row in source], padding)
    decoded = decode(encoding, 7, 5, step, data)
    for channel, name in enumerate("bgr"):
        assert np.array_equal(decoded[..., channel], source[..., order.index(name)])


@pytest.mark.parametrize(
    ("encoding", "pixel"),
    [
        ("bgr8", (1, 2, 3)),
        ("rgb8", (3, 2, 1)),
        ("bgra8", (1, 2, 3, 200)),
        ("rgba8", (3, 2, 1, 200)),
    ],
)
def test_one_pixel_by_hand(encoding: str, pixel: tuple[int, ...]) -> None:
    decoded = decode(encoding, 1, 1, len(pixel), bytes(pixel))
    assert decoded.tolist() == [[[1, 2, 3]]]


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("encoding", ["bgr8", "8UC3"])
@pytest.mark.parametrize("kind", [bytes, bytearray, "array"])
def test_bgr_is_a_view_of_the_buffer(encoding: str, padding: int, kind: object) -> None:
    source = random_pixels(7, 5, 3)
    step, data = with_padding([row.ravel().tolist() for row in source], padding)
    buffer = array.array("B", data) if kind == "array" else kind(data)  # type: ignore[operator]
    decoded = decode(encoding, 7, 5, step, buffer)
    assert np.shares_memory(decoded, np.frombuffer(buffer, np.uint8))
    assert np.array_equal(decoded, source)


def test_a_tracker_takes_a_read_only_view_with_padded_rows() -> None:
    source = random_pixels(64, 48, 3)
    step, data = with_padding([row.ravel().tolist() for row in source], 13)
    view = decode("bgr8", 64, 48, step, data)
    assert not view.flags.writeable
    outcomes = []
    for image in (view, source):
        tracker = create_tracker("kcf")
        tracker.init(image, Box(20, 15, 20, 20))
        outcomes.append(tracker.track(image))
    assert outcomes[0] == outcomes[1]


@paddings
@pytest.mark.parametrize("encoding", GREY)
def test_grey_fills_all_three_channels(encoding: str, padding: int) -> None:
    source = random_pixels(7, 5, 1)[..., 0]
    step, data = with_padding(source.tolist(), padding)
    decoded = decode(encoding, 7, 5, step, data)
    for channel in range(3):
        assert np.array_equal(decoded[..., channel], source)


@paddings
@pytest.mark.parametrize("big_endian", [False, True])
def test_mono16_keeps_the_high_byte_of_either_order(padding: int, big_endian: bool) -> None:
    samples = np.random.default_rng(3).integers(0, 65536, (5, 7))
    order = "big" if big_endian else "little"
    rows = [[b for sample in row for b in int(sample).to_bytes(2, order)] for row in samples]
    step, data = with_padding(rows, padding)
    decoded = decode("mono16", 7, 5, step, data, big_endian=big_endian)
    for channel in range(3):
        assert np.array_equal(decoded[..., channel], samples // 256)


@paddings
@pytest.mark.parametrize("encoding", YUV422)
def test_yuv422_by_the_formulas_of_bt601(encoding: str, padding: int) -> None:
    width, height = 8, 5
    luma, _, _ = random_yuv(width, height)
    _, blue, red = random_yuv(width, 2 * height, seed=4)
    rows, expected = [], np.zeros((height, width, 3), int)
    for y in range(height):
        row = []
        for x in range(0, width, 2):
            sample = {"y": iter(luma[y, x : x + 2]), "u": blue[y, x // 2], "v": red[y, x // 2]}
            for letter in YUV422[encoding]:
                row.append(int(next(sample["y"]) if letter == "y" else sample[letter]))
            for column in (x, x + 1):
                colours = (luma[y, column], sample["u"], sample["v"])
                expected[y, column] = bgr_of_yuv(*(int(colour) for colour in colours))
        rows.append(row)
    step, data = with_padding(rows, padding)
    assert np.abs(decode(encoding, width, height, step, data) - expected).max() <= 2


@paddings
@pytest.mark.parametrize("encoding", YUV420)
def test_nv12_and_nv21_by_the_formulas_of_bt601(encoding: str, padding: int) -> None:
    width, height = 8, 6
    luma, blue, red = random_yuv(width, height)
    rows = luma.tolist()
    for y in range(height // 2):
        row = []
        for x in range(width // 2):
            sample = {"u": int(blue[y, x]), "v": int(red[y, x])}
            row += [sample[letter] for letter in YUV420[encoding]]
        rows.append(row)
    expected = np.zeros((height, width, 3), int)
    for y in range(height):
        for x in range(width):
            colours = (luma[y, x], blue[y // 2, x // 2], red[y // 2, x // 2])
            expected[y, x] = bgr_of_yuv(*(int(colour) for colour in colours))
    step, data = with_padding(rows, padding)
    assert np.abs(decode(encoding, width, height, step, data) - expected).max() <= 2


def bayer_rows(encoding: str, colour: dict[str, int], width: int, height: int) -> list[list[int]]:
    """A flat colour seen through the pattern that the encoding's name spells, row by row."""
    pattern = encoding.removeprefix("bayer_")[:4]
    return [[colour[pattern[2 * (y % 2) + x % 2]] for x in range(width)] for y in range(height)]


@paddings
@pytest.mark.parametrize("encoding", BAYER8)
def test_bayer_gives_a_flat_colour_back(encoding: str, padding: int) -> None:
    rows = bayer_rows(encoding, {"r": 200, "g": 120, "b": 40}, 9, 7)
    step, data = with_padding(rows, padding)
    decoded = decode(encoding, 9, 7, step, data)
    assert decoded.shape == (7, 9, 3)
    assert np.all(decoded[1:-1, 1:-1] == (40, 120, 200))


@paddings
@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("encoding", BAYER16)
def test_bayer16_gives_the_high_bytes_of_a_flat_colour_back(
    encoding: str, big_endian: bool, padding: int
) -> None:
    order = "big" if big_endian else "little"
    samples = bayer_rows(encoding, {"r": 200 * 256 + 9, "g": 120 * 256 + 250, "b": 40 * 256}, 8, 6)
    rows = [[b for sample in row for b in sample.to_bytes(2, order)] for row in samples]
    step, data = with_padding(rows, padding)
    decoded = decode(encoding, 8, 6, step, data, big_endian=big_endian)
    assert np.all(decoded[1:-1, 1:-1] == (40, 120, 200))


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(ROW_BYTES)),
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(0, 9),
    st.booleans(),
)
def test_padding_changes_nothing_and_every_size_decodes_or_is_refused(
    encoding: str, width: int, height: int, padding: int, big_endian: bool
) -> None:
    row = width * ROW_BYTES[encoding]
    lines = height * 3 // 2 if encoding in YUV420 else height
    content = random_pixels(row, lines, 1)[..., 0].tolist()
    step, padded = with_padding(content, padding)
    _, tight = with_padding(content, 0)
    odd = (encoding in (*YUV422, *YUV420) and width % 2) or (encoding in YUV420 and height % 2)
    if odd:
        with pytest.raises(ImageError, match=f"{encoding} needs an even width"):
            decode(encoding, width, height, step, padded)
        return
    decoded = decode(encoding, width, height, step, padded, big_endian=big_endian)
    assert decoded.shape == (height, width, 3)
    assert decoded.dtype == np.uint8
    if encoding not in (*BAYER8, *BAYER16) or min(width, height) > 2:
        plain = decode(encoding, width, height, row, tight, big_endian=big_endian)
        assert np.array_equal(decoded, plain)


@pytest.mark.parametrize("encoding", sorted(ROW_BYTES))
def test_the_padding_after_the_last_row_may_be_missing_but_no_pixel(encoding: str) -> None:
    width, height, padding = 6, 4, 3
    row = width * ROW_BYTES[encoding]
    lines = height * 3 // 2 if encoding in YUV420 else height
    step, data = with_padding(random_pixels(row, lines, 1)[..., 0].tolist(), padding)
    whole = decode(encoding, width, height, step, data)
    assert np.array_equal(decode(encoding, width, height, step, data[:-padding]), whole)
    needed = len(data) - padding
    with pytest.raises(ImageError, match=rf"truncated: {needed - 1} bytes.*takes {needed}"):
        decode(encoding, width, height, step, data[: needed - 1])


@pytest.mark.parametrize("encoding", sorted(ROW_BYTES))
def test_too_small_a_step_is_refused(encoding: str) -> None:
    row = 6 * ROW_BYTES[encoding]
    with pytest.raises(ImageError, match=rf"step is {row - 1} bytes.*take {row}"):
        check_layout(encoding, 6, 4, row - 1, bytes(1000))


@pytest.mark.parametrize("size", [(0, 4), (4, 0), (0, 0), (-4, 4)])
def test_an_empty_image_is_refused_with_its_size(size: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match=f"empty: {size[0]}x{size[1]}"):
        check_layout("bgr8", *size, 100, bytes(1000))


def test_no_data_at_all_is_refused() -> None:
    with pytest.raises(ImageError, match="truncated: 0 bytes"):
        decode("mono8", 4, 4, 4, b"")


@pytest.mark.parametrize("encoding", ["", "32FC1", "BGR8", "bayer_rggb"])
def test_an_unknown_encoding_is_refused_with_those_understood(encoding: str) -> None:
    with pytest.raises(UnknownEncodingError, match=f"'{encoding}' is not understood.*bgr8, 8UC3"):
        decode(encoding, 4, 4, 16, bytes(1000))


def smooth() -> Pixels:
    return cv2.GaussianBlur(random_pixels(64, 48, 3), (0, 0), 6)


def encoded(suffix: str) -> bytes:
    return cv2.imencode(suffix, smooth())[1].tobytes()


@pytest.mark.parametrize("kind", [bytes, bytearray, lambda data: array.array("B", data)])
def test_png_comes_out_exactly(kind: object) -> None:
    data = kind(encoded(".png"))  # type: ignore[operator]
    check_compressed(data)
    assert np.array_equal(decode_compressed(data), smooth())


def test_jpeg_comes_out_within_its_loss() -> None:
    check_compressed(encoded(".jpg"))
    difference = decode_compressed(encoded(".jpg")).astype(int) - smooth()
    assert np.abs(difference).mean() < 3


def test_a_jpeg_without_its_end_is_cut_off_whatever_opencv_makes_of_it() -> None:
    data = encoded(".jpg")
    assert data[-2:] == b"\xff\xd9"
    with pytest.raises(ImageError, match=f"of {len(data) - 2} bytes cannot be decoded: it is cut"):
        decode_compressed(data[:-2])
    # cameras fill their buffers up
    assert np.array_equal(decode_compressed(data + bytes(1000)), decode_compressed(data))


def test_a_turn_that_a_jpeg_asks_for_is_not_made() -> None:
    # boxes are in pixels of the image as the camera has it; tag 0x112, orientation 6: a quarter
    tiff = b"MM" + struct.pack(">HIHHHIHHI", 42, 8, 1, 0x112, 3, 1, 6, 0, 0)
    exif = b"Exif\x00\x00" + tiff
    plain = encoded(".jpg")
    turned = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + plain[2:]
    obeyed = cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR)
    assert obeyed is not None
    assert obeyed.shape == (64, 48, 3)
    assert np.array_equal(decode_compressed(turned), decode_compressed(plain))


def test_a_grey_png_becomes_bgr() -> None:
    grey = random_pixels(9, 5, 1)
    decoded = decode_compressed(cv2.imencode(".png", grey)[1].tobytes())
    assert np.array_equal(decoded, np.repeat(grey, 3, axis=2))


@pytest.mark.parametrize("check", [check_compressed, decode_compressed])
@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"RIFF....WEBP", "starts with 52 49 46 46 .* neither JPEG nor PNG"),
        (b"\x00", "starts with 00, which is neither"),
    ],
)
def test_what_is_neither_jpeg_nor_png_is_refused_without_decoding(
    check: object, data: bytes, why: str
) -> None:
    with pytest.raises(ImageError, match=why):
        check(data)  # type: ignore[operator]


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_a_truncated_file_is_refused(suffix: str, share: float) -> None:
    data = encoded(suffix)
    with pytest.raises(ImageError, match="cannot be decoded"):
        decode_compressed(data[: int(share * len(data))])


@pytest.mark.parametrize("head", [b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"])
def test_garbage_behind_a_good_start_is_refused(head: bytes) -> None:
    with pytest.raises(ImageError, match="cannot be decoded"):
        decode_compressed(head + bytes(range(256)) * 4)


def _png_of(width: int, height: int) -> bytes:
    """A PNG whose header claims that size, whatever its pixels."""
    small = encoded(".png")
    header = b"IHDR" + struct.pack(">II", width, height) + small[24:29]
    return small[:12] + header + struct.pack(">I", zlib.crc32(header)) + small[33:]


def _jpeg_of(width: int, height: int) -> bytes:
    """A JPEG whose header claims that size, whatever its pixels."""
    data = bytearray(encoded(".jpg"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(data)


@pytest.mark.parametrize("claim", [_png_of, _jpeg_of])
def test_a_header_that_claims_more_pixels_than_opencv_takes_is_refused(
    claim: Callable[[int, int], bytes],
) -> None:
    with pytest.raises(ImageError, match=r"cannot be decoded: .*PIXELS"):
        decode_compressed(claim(40000, 40000))
