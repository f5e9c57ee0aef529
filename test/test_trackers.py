"""The registry, what all trackers share, and OpenCV's trackers on a synthetic video."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from test.fakes import FakeTracker, Fleet, forbid, picture, textured_square
from test.marks import needs_nano
from visual_tracker.boxes import Box, BoxError
from visual_tracker.images import Image, ImageError
from visual_tracker.parameters import Applies, ParameterError, Parameters, parameter
from visual_tracker.trackers import (
    DEFAULT_TRACKER,
    NotInitializedError,
    Track,
    Tracker,
    TrackerUnavailableError,
    TrackState,
    available_trackers,
    create_tracker,
    tracker_class,
    tracker_names,
)
from visual_tracker.trackers.opencv import OpenCvParameters, OpenCvTracker

ROOT = Path(__file__).resolve().parent.parent
TEACHERS = ROOT.parent / "shared" / "data" / "teachers"
NANO_FILES = {
    "backbone": TEACHERS / "nanotrackv2_backbone_sim.onnx",
    "neckhead": TEACHERS / "nanotrackv2_head_sim.onnx",
}
needs_nano_files = pytest.mark.skipif(
    not hasattr(cv2, "TrackerNano") or not all(path.is_file() for path in NANO_FILES.values()),
    reason="needs OpenCV's TrackerNano and its two ONNX files in ../shared/data/teachers",
)
OPENCV_TRACKERS = ["csrt", "kcf", "mil", pytest.param("nano", marks=needs_nano_files)]
BOX = Box(10, 10, 20, 20)


def make(name: str, **parameters: Any) -> Tracker:
    if name == "nano":
        parameters |= {option: str(path) for option, path in NANO_FILES.items()}
    reason = tracker_class(name).unavailable_reason(
        tracker_class(name).parameters_class.from_mapping(parameters)
    )
    if reason:
        pytest.skip(reason)
    return create_tracker(name, **parameters)


# -- the registry -------------------------------------------------------------------------------


def test_the_list_has_every_tracker_once_with_one_line() -> None:
    infos = available_trackers()
    assert [info.name for info in infos] == list(tracker_names())
    assert {"csrt", "kcf", "mil", "nano", DEFAULT_TRACKER} <= set(tracker_names())
    for info in infos:
        assert info.summary
        assert "\n" not in info.summary
        assert info.usable is (info.unavailable_reason is None)


def test_an_unknown_name_is_refused_with_the_nearest_or_all() -> None:
    with pytest.raises(ParameterError, match="no tracker 'csrd'; did you mean 'csrt'"):
        create_tracker("csrd")
    with pytest.raises(ParameterError, match=r"no tracker ''; known: .*csrt, .*kcf"):
        create_tracker("")


@pytest.mark.parametrize("name", [None, 3, ["kcf"]], ids=repr)
def test_a_name_that_is_no_text_is_refused_like_an_unknown_one(name: Any) -> None:
    with pytest.raises(ParameterError, match=r"there is no tracker '.*'; (known: |did you mean)"):
        create_tracker(name)


def test_two_trackers_cannot_have_one_name() -> None:
    with pytest.raises(ValueError, match="two trackers are named 'csrt'"):
        type("Other", (FakeTracker,), {"name": "csrt"})
    assert tracker_class("csrt").__name__ == "CsrtTracker"


def test_parameters_are_laid_over_the_defaults() -> None:
    tracker = make("kcf", detect_thresh=0.25)
    assert tracker.parameters.detect_thresh == 0.25
    assert tracker.parameters.min_visible == 0.25
    assert tracker.device == "cpu"


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"detect_tresh": 0.5}, "did you mean 'detect_thresh'"),
        ({"detect_thresh": 1.5}, "must lie in 0 .. 1"),
        ({"detect_thresh": "0.5"}, "must be float"),
    ],
)
def test_wrong_parameters_are_refused(parameters: dict[str, Any], why: str) -> None:
    with pytest.raises(ParameterError, match=why):
        create_tracker("kcf", **parameters)


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "tpu", ""])
def test_a_device_that_an_opencv_tracker_has_not_is_refused(device: str) -> None:
    with pytest.raises(TrackerUnavailableError, match=f"'mil' runs on the CPU only.*'{device}'"):
        create_tracker("mil", device)


@pytest.mark.parametrize(
    ("name", "missing", "advice"),
    [
        ("csrt", "TrackerCSRT", "install opencv-contrib-python"),
        ("kcf", "TrackerKCF", "install opencv-contrib-python"),
        ("mil", "TrackerMIL", "install opencv-python 4.5.1"),
        pytest.param("nano", "TrackerNano", "install OpenCV 4.7", marks=needs_nano),
    ],
)
def test_a_tracker_that_this_opencv_lacks_is_listed_with_what_to_do(
    name: str, missing: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(cv2, missing)
    (info,) = [info for info in available_trackers() if info.name == name]
    assert not info.usable
    assert f"has no {missing}; {advice}" in str(info.unavailable_reason)
    with pytest.raises(
        TrackerUnavailableError, match=rf"'{name}' cannot run here: OpenCV .*{missing}"
    ):
        create_tracker(name)


@needs_nano
def test_nano_without_its_files_says_which_parameter_is_missing(tmp_path: Path) -> None:
    with pytest.raises(TrackerUnavailableError, match="set its parameter 'backbone'"):
        create_tracker("nano")
    (tmp_path / "there.onnx").touch()
    with pytest.raises(TrackerUnavailableError, match="set its parameter 'neckhead'"):
        create_tracker("nano", backbone=str(tmp_path / "there.onnx"))
    with pytest.raises(TrackerUnavailableError, match=r"'backbone' names \S+gone\.onnx.*no file"):
        create_tracker("nano", backbone=str(tmp_path / "gone.onnx"))


@needs_nano
@pytest.mark.parametrize("call", ["stat", "open"])
def test_nanos_files_that_one_may_not_read_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    (tmp_path / "there.onnx").touch()
    forbid(monkeypatch, tmp_path / "there.onnx", call)
    why = r"'backbone' names \S+there\.onnx, which cannot be read: Permission denied"
    with pytest.raises(TrackerUnavailableError, match=why):
        create_tracker("nano", backbone=str(tmp_path / "there.onnx"))


# -- what all trackers share --------------------------------------------------------------------


@pytest.mark.parametrize("name", OPENCV_TRACKERS)
def test_track_before_init_is_refused(name: str) -> None:
    with pytest.raises(NotInitializedError, match=f"call init.* on '{name}' before track"):
        make(name).track(picture(0))


def test_init_gives_the_box_as_clipped() -> None:
    tracker = Fleet().new_tracker()
    assert tracker.init(picture(0), Box(-5, 40, 20, 20)) == Box(0, 40, 15, 8)
    assert tracker.track(picture(1)).box == Box(1, 40, 15, 8)


@pytest.mark.parametrize("box", [Box(64, 0, 9, 9), Box(0, 0, 2.9, 9), Box(-7, 0, 9, 9)])
def test_a_box_outside_or_too_small_is_refused_and_the_old_target_kept(box: Box) -> None:
    tracker = Fleet().new_tracker()
    tracker.init(picture(0), BOX)
    with pytest.raises(BoxError):
        tracker.init(picture(1), box)
    assert tracker.started == 0
    assert tracker.track(picture(2)).box == Box(11, 10, 20, 20)


@pytest.mark.parametrize("box", [(1, 2, 30, 40), [1, 2, 30, 40], None], ids=repr)
def test_a_box_that_is_none_is_refused_with_how_to_make_one(box: Any) -> None:
    tracker = Fleet().new_tracker()
    why = f"must be a Box, not {type(box).__name__}; make one with Box.from_xywh"
    with pytest.raises(BoxError, match=why):
        tracker.init(picture(0), box)


@pytest.mark.parametrize("image", [None, np.zeros((0, 5, 3), np.uint8), np.zeros((5, 5, 3))])
def test_a_bad_image_is_refused_by_init_and_track(image: Any) -> None:
    tracker = Fleet().new_tracker()
    with pytest.raises(ImageError):
        tracker.init(image, BOX)
    tracker.init(picture(0), BOX)
    with pytest.raises(ImageError):
        tracker.track(image)
    assert not tracker.track(picture(1)).is_lost


def test_an_image_of_another_size_is_refused_and_the_target_kept() -> None:
    tracker = Fleet().new_tracker()
    tracker.init(picture(0), BOX)
    with pytest.raises(
        ImageError, match=r"'fake' was started on 64x48 images .* in 80x48; call init"
    ):
        tracker.track(picture(1, 80))
    assert tracker.seen == []
    assert tracker.track(picture(2)).box == Box(11, 10, 20, 20)
    tracker.init(picture(3, 80), BOX)
    assert tracker.track(picture(4, 80)).box == Box(11, 10, 20, 20)


def test_parameters_of_a_running_tracker_change_all_or_not_at_all() -> None:
    tracker = Fleet().new_tracker()
    tracker.set_parameters({"gain": 0.75})
    assert tracker.parameters.gain == 0.75
    for changes in ({"gain": 2.0}, {"gain": 0.1, "pain": 0.1}):
        with pytest.raises(ParameterError):
            tracker.set_parameters(changes)
    assert tracker.parameters.gain == 0.75


# -- the lost rules of the OpenCV wrappers --------------------------------------------------------


class Scripted(OpenCvTracker):
    """An OpenCV wrapper around a stand-in that returns what the test says. Not registered."""

    name: str
    summary = "returns what it is told"
    parameters_class = OpenCvParameters
    opencv_class = "TrackerMIL"

    def __init__(self, *outcomes: tuple[bool, tuple[int, int, int, int]], **parameters: Any):
        self.name = "scripted"  # type: ignore[misc]
        super().__init__(OpenCvParameters(**parameters))
        self.outcomes: Iterator[Any] = iter(outcomes)
        self.rectangle: tuple[int, ...] = ()

    def _create(self) -> Any:
        return self

    def init(self, image: Image, box: Any) -> Any:
        if isinstance(box, Box):
            return super().init(image, box)
        self.rectangle = box
        return None

    def update(self, image: Image) -> Any:
        return next(self.outcomes)

    def run(self) -> list[Track]:
        self.init(picture(0), BOX)
        return [self.track(picture(1)) for _ in list(self.outcomes_left())]

    def outcomes_left(self) -> list[Any]:
        left = list(self.outcomes)
        self.outcomes = iter(left)
        return left


def test_what_is_chosen_when_a_tracker_is_made_cannot_be_changed_after() -> None:
    @dataclass(frozen=True)
    class Chosen(Parameters):
        depth: int = parameter(3, "Of it.", minimum=1, maximum=9, applies=Applies.AT_RESTART)
        gain: int = parameter(1, "Of that.", minimum=1, maximum=9)

    class Deep(Scripted):
        parameters_class = Chosen  # type: ignore[assignment]

    tracker = Deep()
    tracker.parameters = Chosen()
    tracker.set_parameters({"depth": 3, "gain": 2})
    with pytest.raises(ParameterError, match="'depth' is chosen when the tracker is made"):
        tracker.set_parameters({"gain": 4, "depth": 5})
    assert tracker.parameters == Chosen(gain=2)


def test_opencvs_report_of_failure_freezes_the_box_until_it_is_found_again() -> None:
    tracks = Scripted(
        (True, (12, 10, 20, 20)),
        (False, (0, 0, 0, 0)),
        (False, (5, 5, 9, 9)),
        (True, (30, 9, 20, 20)),
    ).run()
    assert [track.is_lost for track in tracks] == [False, True, True, False]
    assert [track.box.x for track in tracks] == [12, 12, 12, 30]
    assert [track.confidence for track in tracks] == [None] * 4


@pytest.mark.parametrize("rectangle", [(10, 10, 0, 20), (10, 10, 20, 0), (10, 10, -3, 20)])
def test_a_box_without_extent_is_lost_whatever_opencv_reports(
    rectangle: tuple[int, int, int, int],
) -> None:
    (track,) = Scripted((True, rectangle)).run()
    assert (track.state, track.box) == (TrackState.LOST, BOX)


@pytest.mark.parametrize(
    ("x", "min_visible", "lost"),
    [
        (-15, 0.25, False),  # 5 of 20 columns in the image: just enough
        (-16, 0.25, True),
        (59, 0.25, False),
        (60, 0.25, True),
        (-19, 0.0, False),
        (-1, 1.0, True),
        (-100, 0.01, True),
    ],
)
def test_too_small_a_visible_share_is_lost(x: int, min_visible: float, lost: bool) -> None:
    (track,) = Scripted((True, (x, 10, 20, 20)), min_visible=min_visible).run()
    assert track.is_lost is lost
    assert track.box == (BOX if lost else Box(x, 10, 20, 20))


@given(st.floats(-30, 70), st.floats(-30, 50), st.floats(3, 120), st.floats(3, 120))
def test_opencv_gets_whole_pixels_inside_the_image_next_to_the_box(
    x: float, y: float, width: float, height: float
) -> None:
    tracker = Scripted()
    try:
        box = tracker.init(picture(0), Box(x, y, width, height))
    except BoxError:
        return
    left, top, wide, high = tracker.rectangle
    assert all(type(number) is int for number in tracker.rectangle)
    assert 0 <= left < left + wide <= 64
    assert 0 <= top < top + high <= 48
    edges = (left, top, left + wide, top + high)
    assert max(abs(a - b) for a, b in zip(edges, box.xyxy, strict=True)) <= 0.5


@needs_nano_files
def test_nano_is_lost_below_its_threshold_and_reports_the_score() -> None:
    images, boxes = textured_square(3)
    tracker = make("nano", lost_threshold=0.0)
    tracker.init(images[0], boxes[0])
    held = tracker.track(images[1])
    assert held.confidence is not None
    assert 0 < held.confidence <= 1
    assert not held.is_lost
    tracker.set_parameters({"lost_threshold": 1.0})
    lost = tracker.track(images[2])
    assert (lost.is_lost, lost.box) == (True, held.box)


@needs_nano
def test_nano_with_files_that_are_no_networks_says_so(tmp_path: Path) -> None:
    files = {option: tmp_path / f"{option}.onnx" for option in NANO_FILES}
    for path in files.values():
        path.write_bytes(b"no network")
    with pytest.raises(TrackerUnavailableError, match=r"cannot read .*backbone\.onnx"):
        create_tracker("nano", **{option: str(path) for option, path in files.items()})


@needs_nano_files
@pytest.mark.parametrize(
    ("backbone", "neckhead"),
    [("neckhead", "backbone"), ("backbone", "backbone"), ("neckhead", "neckhead")],
)
def test_nano_with_its_files_mixed_up_says_so(backbone: str, neckhead: str) -> None:
    files = {"backbone": str(NANO_FILES[backbone]), "neckhead": str(NANO_FILES[neckhead])}
    with pytest.raises(TrackerUnavailableError, match=r"cannot read .* as NanoTrack's") as error:
        create_tracker("nano", **files)
    assert "\n" not in str(error.value)


# -- OpenCV's trackers at work ------------------------------------------------------------------


#: OpenCV's MIL draws at random, which nothing can seed, and loses the square in one run of eight
TRIES = {"mil": 5}


def run_of(name: str, images: list[Image], boxes: list[Box]) -> list[Track]:
    """Tracks of a run through all images; of several tries the first that ends on the target."""
    for _ in range(TRIES.get(name, 1)):
        tracker = make(name)
        tracker.init(images[0], boxes[0])
        tracks = [tracker.track(image) for image in images[1:]]
        if tracks[-1].box.iou(boxes[-1]) > 0.5:
            break
    return tracks


@pytest.mark.parametrize("name", OPENCV_TRACKERS)
def test_a_moving_textured_square_is_followed(name: str) -> None:
    images, boxes = textured_square(25)
    tracks = run_of(name, images, boxes)
    assert not any(track.is_lost for track in tracks)
    assert tracks[-1].box.iou(boxes[-1]) > 0.5
    # standing still would not do
    assert boxes[0].iou(boxes[-1]) == 0


@pytest.mark.parametrize("name", OPENCV_TRACKERS)
@pytest.mark.parametrize("kind", ["grey", "bgra"])
def test_grey_and_bgra_images_are_followed_too(name: str, kind: str) -> None:
    images, boxes = textured_square(8)
    code = {"grey": cv2.COLOR_BGR2GRAY, "bgra": cv2.COLOR_BGR2BGRA}[kind]
    converted = [cv2.cvtColor(image, code) for image in images]
    assert run_of(name, converted, boxes)[-1].box.iou(boxes[-1]) > 0.5


@pytest.mark.parametrize("name", OPENCV_TRACKERS)
def test_a_smaller_image_does_not_reach_opencv(name: str) -> None:
    images, boxes = textured_square(3)
    tracker = make(name)
    tracker.init(images[0], boxes[0])
    with pytest.raises(ImageError, match="call init"):
        tracker.track(images[1][:40, :40])
    assert isinstance(tracker.track(images[2]), Track)


# OpenCV's MIL seeds its random numbers by the clock
@pytest.mark.parametrize("name", ["csrt", "kcf", pytest.param("nano", marks=needs_nano_files)])
def test_the_same_images_give_the_same_boxes(name: str) -> None:
    images, boxes = textured_square(8)

    def run(tracker: Tracker) -> list[Track]:
        tracker.init(images[0], boxes[0])
        return [tracker.track(image) for image in images[1:]]

    tracker = make(name)
    first = run(tracker)
    assert run(tracker) == first
    assert run(make(name)) == first


@pytest.mark.parametrize("name", OPENCV_TRACKERS)
@pytest.mark.parametrize(
    "box",
    [
        Box(50, 50, 3, 3),
        Box(50, 50, 3, 60),
        Box(10, 50, 150, 3),
        Box(50, 50, 4, 4),
        Box(50, 50, 5, 5),
        Box(0, 0, 192, 144),
        Box(186, 138, 6, 6),
        Box(1.5, 1.5, 7.25, 7.25),
    ],
    ids=str,
)
def test_an_extreme_box_is_tracked_or_refused_as_a_box(name: str, box: Box) -> None:
    images, _ = textured_square(2)
    tracker = make(name)
    try:
        assert tracker.init(images[0], box) == box
    except BoxError as error:
        assert str(box) in str(error)  # noqa: PT017
        return
    assert isinstance(tracker.track(images[1]), Track)
