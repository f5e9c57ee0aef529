"""Engines side by side: how long each takes, and how far its answers are from eager torch's.

A tracker follows a target with eager torch in fp32; every crop that it asks about is put to all
other engines, too, in turns. So all see the same crops, at the same time on the same machine, and
no difference can grow from frame to frame: a tracker amplifies the last digit of a score to another
box within a dozen frames, which says nothing about an engine.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from visual_tracker.boxes import Box
from visual_tracker.evaluation.sequences import Sequence
from visual_tracker.images import Image
from visual_tracker.models.engines.choice import AUTO, TORCH, choices
from visual_tracker.models.geometry import Geometry
from visual_tracker.models.matchers import FloatArray, Response
from visual_tracker.models.shared_matchers import MatcherSpec, shared_matcher
from visual_tracker.trackers.dasiamrpn import DaSiamRpnTracker
from visual_tracker.trackers.dasiamrpn_parameters import DaSiamRpnParameters
from visual_tracker.trackers.score_map import Proposals, decode_response


class EngineSetting(NamedTuple):
    """An engine with a precision."""

    engine: str
    precision: str

    @property
    def label(self) -> str:
        """Like "openvino bf16"."""
        return f"{self.engine} {self.precision}"


REFERENCE = EngineSetting(TORCH, "fp32")


@dataclass(frozen=True)
class EngineResult:
    """What an engine took and gave, over all crops.

    Attributes:
        label: engine and precision.
        median_ms: a search crop.
        p99_ms: likewise.
        best_iou: mean IoU of its most probable proposal with the reference's.
        same_best: share of crops for which the two IoUs are above .9.
        score_error: largest difference of any proposal's probability.
    """

    label: str
    median_ms: float
    p99_ms: float
    best_iou: float
    same_best: float
    score_error: float


@dataclass
class _Record:
    seconds: list[float] = field(default_factory=list)
    ious: list[float] = field(default_factory=list)
    score_error: float = 0.0


class ComparingMatcher:
    """Answers as the first of several matchers does, and notes time and answers of all.

    Args:
        matchers: by label; the first is the reference.
    """

    def __init__(self, matchers: dict[str, Any]) -> None:
        self._matchers = matchers
        self._turn = 0
        self.records = {label: _Record() for label in matchers}
        self.geometry: Geometry = next(iter(matchers.values())).geometry

    def learn(self, image: Image) -> dict[str, Any]:
        """Each matcher's own template."""
        return {label: matcher.learn(image) for label, matcher in self._matchers.items()}

    def embedding(self, template: dict[str, Any]) -> FloatArray:
        """The reference's phi(z)."""
        label, matcher = next(iter(self._matchers.items()))
        result: FloatArray = matcher.embedding(template[label])
        return result

    def respond(self, template: dict[str, Any], image: Image) -> Response:
        """The reference's answer."""
        answers: dict[str, Response] = {}
        labels = list(self._matchers)
        self._turn = (self._turn + 1) % len(labels)
        for label in labels[self._turn :] + labels[: self._turn]:
            begin = time.perf_counter()
            answers[label] = self._matchers[label].respond(template[label], image)
            self.records[label].seconds.append(time.perf_counter() - begin)
        reference = answers[labels[0]]
        expected = decode_response(reference, self.geometry)
        for label, answer in answers.items():
            record = self.records[label]
            found = decode_response(answer, self.geometry)
            record.ious.append(_best(found).iou(_best(expected)))
            error = float(np.abs(answer.scores - reference.scores).max())
            record.score_error = max(record.score_error, error)
        return reference


def available_settings() -> list[EngineSetting]:
    """The reference, and every engine and precision that this machine can run."""
    found = [REFERENCE]
    for precision in ("fp32", "bf16"):
        for choice in choices(AUTO, precision, "cpu"):
            setting = EngineSetting(choice.name, choice.precision)
            best = choice.engine.best_precision() if choice.engine else "bf16"
            if setting not in found and precision in ("fp32", best):
                found.append(setting)
    return found


def compare(
    sequences: Iterable[Sequence],
    network: str,
    weights: Path,
    settings: Iterable[EngineSetting],
    frames: int,
    threads: int = 1,
) -> list[EngineResult]:
    """Follow each sequence's target with the reference and ask all engines on the way.

    Args:
        sequences: with their first boxes.
        network: of SiamRPN.
        weights: its file.
        settings: the engines; the first is the reference.
        frames: most of each sequence.
        threads: of each engine.

    Raises:
        EngineError: if one of the engines cannot run the network.
    """
    matchers = {
        setting.label: shared_matcher(
            MatcherSpec("siamrpn", network, weights, "cpu", *setting, threads)
        )
        for setting in settings
    }
    matcher = ComparingMatcher(matchers)
    parameters = DaSiamRpnParameters(
        network=network, weights=str(weights), engine=TORCH, threads=threads
    )
    tracker = DaSiamRpnTracker(parameters, "cpu")
    tracker.matcher = matcher
    for sequence in sequences:
        tracker.init(sequence.frames[0], sequence.box(0))
        for index in range(1, min(frames, len(sequence))):
            tracker.track(sequence.frames[index])
    return [_result(label, record) for label, record in matcher.records.items()]


def _best(proposals: Proposals) -> Box:
    return Box.from_center(*(float(v) for v in proposals.boxes[:, int(proposals.scores.argmax())]))


def _result(label: str, record: _Record) -> EngineResult:
    milliseconds = np.array(record.seconds) * 1000
    ious = np.array(record.ious)
    return EngineResult(
        label,
        float(np.median(milliseconds)),
        float(np.percentile(milliseconds, 99)),
        float(ious.mean()),
        float((ious > 0.9).mean()),
        record.score_error,
    )
