"""Windows, with stand-ins for OpenCV's, since a test machine has no screen."""

from __future__ import annotations

import cv2
import pytest

from test.fakes import picture
from visual_tracker import display
from visual_tracker.boxes import Box
from visual_tracker.display import DisplayError


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A screen on which nothing is shown; gives the titles of the windows."""
    titles: list[str] = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(cv2, "imshow", lambda title, image: titles.append(title))
    monkeypatch.setattr(cv2, "waitKey", lambda delay: -1)
    monkeypatch.setattr(cv2, "destroyWindow", lambda title: titles.remove(title))
    return titles


@pytest.mark.parametrize(
    ("code", "key"), [(-1, None), (ord("x"), ord("x")), (0x100000 + ord("q"), ord("q")), (27, 27)]
)
def test_the_key_pressed_is_told(
    screen: list[str], monkeypatch: pytest.MonkeyPatch, code: int, key: int | None
) -> None:
    monkeypatch.setattr(cv2, "waitKey", lambda delay: code)
    assert display.show_and_wait("film", picture(0)) == key
    assert screen == ["film"]


def test_q_and_escape_quit() -> None:
    assert set(display.QUIT_KEYS) == {ord("q"), 27}


def test_the_box_drawn_is_returned_and_its_window_closed(
    screen: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw(title: str, image: object, showCrosshair: bool) -> tuple[int, int, int, int]:  # noqa: N803
        screen.append(title)
        return (5, 6, 7, 8)

    monkeypatch.setattr(cv2, "selectROI", draw)
    assert display.select_box(picture(0)) == Box(5, 6, 7, 8)
    assert screen == []


def test_a_box_not_drawn_is_an_error(screen: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "selectROI", lambda *a, **k: screen.append(a[0]) or (0, 0, 0, 0))
    with pytest.raises(DisplayError, match="no box was drawn"):
        display.select_box(picture(0))


def call_show() -> None:
    display.show_and_wait("film", picture(0))


def call_select() -> None:
    display.select_box(picture(0))


@pytest.mark.parametrize(
    ("call", "advice"), [(call_show, "to show images"), (call_select, "to draw a box in; give")]
)
def test_without_a_screen_opencv_is_not_even_tried(
    monkeypatch: pytest.MonkeyPatch, call: object, advice: str
) -> None:
    def never(*arguments: object, **options: object) -> None:
        raise AssertionError("OpenCV ends the process here")

    monkeypatch.setattr("sys.platform", "linux")
    for name in ("imshow", "selectROI"):
        monkeypatch.setattr(cv2, name, never)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DisplayError, match=f"can open no window {advice}"):
        call()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("call", "advice"), [(call_show, "to show images"), (call_select, "to draw a box in; give")]
)
def test_an_opencv_without_windows_is_an_error_with_advice(
    screen: list[str], monkeypatch: pytest.MonkeyPatch, call: object, advice: str
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise cv2.error("The function is not implemented")

    for name in ("imshow", "selectROI"):
        monkeypatch.setattr(cv2, name, refuse)
    with pytest.raises(DisplayError, match=f"can open no window {advice}"):
        call()  # type: ignore[operator]
