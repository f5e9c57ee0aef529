"""A SiamRPN network on a CPU with threads to spare: the targets of a frame side by side.

More threads make one search little faster, since its arithmetic is small; several searches on a
thread each do gain (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

from visual_tracker.models.engines.base import Graph
from visual_tracker.models.geometry import Geometry
from visual_tracker.models.graph_matchers import SEARCH, GraphProposalMatcher, load_graphs
from visual_tracker.models.matchers import Question, Response
from visual_tracker.timing import NETWORK, timed


class ParallelProposalMatcher(GraphProposalMatcher):
    """A SiamRPN network that answers several questions at a time.

    Args:
        template: makes templates.
        search: answers to one search crop on all threads.
        geometry: of the network.
        side_by_side: answers to several search crops at a time, on a thread each.
        threads: how many of them.
    """

    def __init__(
        self, template: Graph, search: Graph, geometry: Geometry, side_by_side: Graph, threads: int
    ) -> None:
        super().__init__(template, search, geometry)
        self._one_of_many = GraphProposalMatcher(template, side_by_side, geometry)
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="search")

    @classmethod
    def load(
        cls, folder: Path, engine: ModuleType, precision: str, threads: int
    ) -> ParallelProposalMatcher:
        """Read an export; searches run in the precision.

        Raises:
            EngineError: if it is incomplete or the engine cannot run it.
        """
        graphs = load_graphs(folder, engine, precision, threads)
        side_by_side = engine.load(folder / SEARCH, precision, threads, calls=threads)
        return cls(*graphs, side_by_side, threads)

    def warm_up(self) -> None:
        """Search once alone and once on each thread."""
        super().warm_up()
        template, crop = self._blank()
        self.respond_many([Question.of_crop(template, crop)] * self._threads)

    def respond_many(self, questions: Sequence[Question]) -> list[Response]:
        """Answers in order; a lone question has all threads."""
        if len(questions) > 1:
            return self._respond_side_by_side(questions)
        return [self.respond(question.template, question.crop()) for question in questions]

    @timed(NETWORK)
    def _respond_side_by_side(self, questions: Sequence[Question]) -> list[Response]:
        return list(self._pool.map(self._answer, questions))

    def _answer(self, question: Question) -> Response:
        return self._one_of_many.respond(question.template, question.crop())
