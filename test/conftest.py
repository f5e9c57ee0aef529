"""Fixtures that the library's tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import pytest

from test.fakes import Fleet, Stream, textured_square


@pytest.fixture(scope="session", autouse=True)
def cache_of_this_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Exports of networks go to a folder of the run's, not to the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


@pytest.fixture
def make_stream(fleet: Fleet) -> Iterator[Callable[..., Stream]]:
    """Makes streams over one fleet of fake trackers, and closes them."""
    made: list[Stream] = []

    def make(**options: object) -> Stream:
        made.append(Stream(fleet, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for stream in made:
        stream.close()


@pytest.fixture
def stream(make_stream: Callable[..., Stream]) -> Stream:
    return make_stream()


@pytest.fixture(scope="session")
def square_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MP4 of 12 frames, 192x144 at 25 Hz, of the textured square."""
    path = tmp_path_factory.mktemp("video") / "square.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (192, 144))
    for image in textured_square(12)[0]:
        writer.write(image)
    writer.release()
    return path
