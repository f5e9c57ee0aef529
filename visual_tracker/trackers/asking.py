"""Trackers that ask a network: each for itself, or all of a frame at once.

Such a tracker is written as a generator: it yields the question it has, is sent the answer and
returns the outcome. So the same lines serve a tracker alone and one of several whose questions are
collected (`track_together`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Generator, Sequence

from visual_tracker.images import Image
from visual_tracker.models.matchers import (
    BatchMatcher,
    Question,
    Response,
    respond_to,
    takes_batches,
)
from visual_tracker.trackers.base import Track, Tracker
from visual_tracker.trackers.siamese import SiameseTracker

#: a frame in steps: questions out, answers in, the outcome at the end
Steps = Generator[Question, Response, Track]


class AskingTracker(SiameseTracker):
    """Base of the trackers that put their questions to `self.matcher` one at a time."""

    def steps(self, image: Image) -> Steps:
        """What `track` does, with the matcher asked by the caller.

        Raises:
            As `track` does, while the steps are taken. The last outcome then stays; what a tracker
            remembers beyond it may have taken in a part of the frame (`dasiamrpn`).
        """
        last = self._last_track()
        self._last = yield from self._steps(self._next_image(image, last), last)
        return self._last

    def _track(self, image: Image, last: Track) -> Track:
        steps = self._steps(image, last)
        try:
            question = next(steps)
            while True:
                (response,) = respond_to(self.matcher, [question])
                question = steps.send(response)
        except StopIteration as end:
            outcome: Track = end.value
            return outcome

    @abstractmethod
    def _steps(self, image: Image, last: Track) -> Steps:
        """Track in a checked image; `last` is the outcome of the frame before."""


class _Run:
    """A tracker on its way through one frame.

    Attributes:
        question: what it has to know next; None at the end.
        outcome: what came of it; None before the end.
    """

    def __init__(self, tracker: AskingTracker, image: Image) -> None:
        self.matcher: BatchMatcher = tracker.matcher
        self.question: Question | None = None
        self.outcome: Track | Exception | None = None
        self._steps = tracker.steps(image)
        self._take(lambda: next(self._steps))

    def go_on(self, answer: Response | Exception) -> None:
        """Take the answer to the question, or why there is none."""
        if isinstance(answer, Exception):
            self.question, self.outcome = None, answer
        else:
            self._take(lambda: self._steps.send(answer))

    def _take(self, step: Callable[[], Question]) -> None:
        self.question = None
        try:
            self.question = step()
        except StopIteration as end:
            self.outcome = end.value
        except Exception as error:  # any tracker, any library below it
            self.outcome = error


def track_together(trackers: Sequence[Tracker], image: Image) -> list[Track | Exception]:
    """Track several targets in the next image, as each tracker's `track` would.

    Questions to one matcher are put at once, if it gains by that; other trackers track one after
    another. A tracker that fails does not disturb the others.

    Returns:
        In order, each tracker's outcome, or what it raised.
    """
    outcomes: list[Track | Exception | _Run] = [_begun(tracker, image) for tracker in trackers]
    runs = [outcome for outcome in outcomes if isinstance(outcome, _Run)]
    while groups := _groups(runs):
        for group in groups:
            questions = [run.question for run in group if run.question]
            for run, answer in zip(group, _answers(group[0].matcher, questions), strict=True):
                run.go_on(answer)
    return [_outcome(outcome) for outcome in outcomes]


def _begun(tracker: Tracker, image: Image) -> Track | Exception | _Run:
    """A run that waits for an answer, or the outcome of a tracker that waits for nobody."""
    if isinstance(tracker, AskingTracker) and takes_batches(tracker.matcher):
        return _Run(tracker, image)
    try:
        return tracker.track(image)
    except Exception as error:  # any tracker, any library below it
        return error


def _groups(runs: list[_Run]) -> list[list[_Run]]:
    """Runs whose questions go to one matcher."""
    groups: dict[int, list[_Run]] = {}
    for run in runs:
        if run.question:
            groups.setdefault(id(run.matcher), []).append(run)
    return list(groups.values())


def _outcome(outcome: Track | Exception | _Run) -> Track | Exception:
    if not isinstance(outcome, _Run):
        return outcome
    assert outcome.outcome is not None  # or it would still be asking
    return outcome.outcome


def _answers(matcher: BatchMatcher, questions: list[Question]) -> list[Response | Exception]:
    """Answers to all; if that fails, each question is asked alone, so that only the bad fail."""
    try:
        return list(matcher.respond_many(questions))
    except Exception as error:  # any library below
        if len(questions) == 1:
            return [error]
    return [answer for question in questions for answer in _answers(matcher, [question])]
