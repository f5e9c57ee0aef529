"""TraX, the protocol in which the VOT toolkit speaks with trackers (extra `vot`).

Čehovin, "TraX: The visual Tracking eXchange Protocol and Library", Neurocomputing 2017. The toolkit
starts a process for each tracker and sends it images (as paths) and a first region; the process
answers every image with a region and the property `confidence`.

A tracker without confidence is taken at its word, as in our own long-term measures: 1 while
TRACKING, 0 while LOST.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from visual_tracker.boxes import Box
from visual_tracker.evaluation.sequences import FileFrames
from visual_tracker.extras import how_to_install, require
from visual_tracker.images import Image
from visual_tracker.trackers import Track, Tracker


def serve(tracker: Tracker) -> None:
    """Answer a TraX client on standard input and output, or its socket, until it quits.

    Args:
        tracker: started anew on every region that the client sends.

    Raises:
        MissingExtraError: if the trax library is not installed.
    """
    trax = require("trax", how_to_install("vot"))
    with trax.Server(
        [trax.Region.RECTANGLE], [trax.Image.PATH], tracker_name=tracker.name
    ) as server:
        answer_requests(server, tracker, trax)


def answer_requests(server: Any, tracker: Tracker, trax: Any) -> None:
    """Answer requests until the client quits.

    Args:
        server: a `trax.Server`.
        tracker: started anew on every region that the client sends.
        trax: the library.

    Raises:
        DatasetError: if an image cannot be read; the library passes it on to the client.
        BoxError: if the tracker cannot start on the region; likewise.
    """
    while True:
        request = server.wait()
        if request.type == trax.TraxStatus.QUIT:
            return
        image = _image(request.image)
        if request.type == trax.TraxStatus.INITIALIZE:
            region, _ = request.objects[0]
            box = tracker.init(image, Box.from_xywh(*region.bounds()))
            server.status([(trax.Rectangle.create(*box.xywh), {})])
        else:
            track = tracker.track(image)
            answer = trax.Rectangle.create(*track.box.xywh)
            server.status([(answer, {"confidence": _confidence(track)})])


def _image(channels: dict[str, Any]) -> Image:
    return FileFrames((Path(channels["color"].path()),))[0]


def _confidence(track: Track) -> float:
    return float(not track.is_lost) if track.confidence is None else track.confidence
