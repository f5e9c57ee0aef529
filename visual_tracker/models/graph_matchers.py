"""The matchers on exported graphs: NumPy from end to end; no torch."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import cast

import numpy as np

from visual_tracker.images import Image
from visual_tracker.models.engines.base import EngineError, FloatArray, Graph
from visual_tracker.models.geometry import Geometry
from visual_tracker.models.matchers import Memory, Recurrent, Response
from visual_tracker.timing import NETWORK, timed

#: file of an export: the graph that answers to search crops
SEARCH = "search.onnx"

#: a template's arrays by name; the search graph takes those that its network uses
Arrays = dict[str, FloatArray]


class GraphMatcher:
    """A network as its two graphs.

    Args:
        template: makes templates.
        search: answers to search crops.
        geometry: of the network.
    """

    def __init__(self, template: Graph, search: Graph, geometry: Geometry) -> None:
        self._template_graph = template
        self._search_graph = search
        self.geometry = geometry

    def warm_up(self) -> None:
        """Do what would make the first search slow, as far as its size is known."""

    @classmethod
    def load(cls, folder: Path, engine: ModuleType, precision: str, threads: int) -> GraphMatcher:
        """Read an export (`visual_tracker.models.exports`); searches run in the precision.

        Raises:
            EngineError: if it is incomplete or the engine cannot run it.
        """
        return cls(*load_graphs(folder, engine, precision, threads))


class GraphProposalMatcher(GraphMatcher):
    """A SiamRPN network."""

    def warm_up(self) -> None:
        """Search once: an engine prepares for the first size that it meets."""
        self.respond(*self._blank())

    def _blank(self) -> tuple[Arrays, Image]:
        """Template and search crop of nothing."""
        template, crop = (
            np.zeros((size, size, 3), np.uint8)
            for size in (self.geometry.template_size, self.geometry.search_size)
        )
        return self.learn(template), crop

    def learn(self, image: Image) -> Arrays:
        """Template of a crop."""
        graph = self._template_graph
        return dict(zip(graph.outputs, graph.run(_batch([image])), strict=True))

    def embedding(self, template: Arrays) -> FloatArray:
        """phi(z), (C, h, w)."""
        return cast(FloatArray, template["embedding"][0])

    def mixed(self, template: Arrays, other: Arrays, share: float) -> Arrays:
        """A template between two."""
        weight = np.float32(share)  # it must not make the arrays float64
        return {name: array + weight * (other[name] - array) for name, array in template.items()}

    @timed(NETWORK)
    def respond(self, template: Arrays, image: Image) -> Response:
        """Answer to a search crop."""
        graph = self._search_graph
        outputs = graph.run(_batch([image]), *(template[name] for name in graph.inputs[1:]))
        return Response(*(output[0] for output in outputs))


class GraphResponseMatcher(GraphMatcher):
    """A SiamFC network or a CFNet."""

    def learn(self, image: Image) -> FloatArray:
        """Kernel of a crop."""
        (kernel,) = self._template_graph.run(_batch([image]))
        return cast(FloatArray, kernel[0])

    @timed(NETWORK)
    def respond(self, kernel: FloatArray, images: list[Image]) -> FloatArray:
        """Logits of search crops."""
        (logits,) = self._search_graph.run(_batch(images), np.ascontiguousarray(kernel)[None])
        return logits


class GraphMemoryMatcher(GraphMatcher):
    """A MemTrack network."""

    def learn(self, image: Image) -> Memory:
        """What is remembered of a template crop alone."""
        return Memory(*self._template_graph.run(_batch([image])))

    @timed(NETWORK)
    def recall(
        self, memory: Memory, seen: FloatArray, images: list[Image]
    ) -> tuple[FloatArray, Memory]:
        """Logits of search crops, and the memory after them."""
        logits, *after = self._search_graph.run(_batch(images), *memory, np.ascontiguousarray(seen))
        return logits, Memory(memory.first, *after)


class GraphRecurrentMatcher(GraphMatcher):
    """A Re3 network."""

    def learn(self, image: Image) -> Recurrent:
        """What is remembered of the first frame's crop."""
        return Recurrent(*self._template_graph.run(_batch([image])))

    @timed(NETWORK)
    def follow(self, state: Recurrent, before: Image, now: Image) -> tuple[FloatArray, Recurrent]:
        """Corners of the target, and the state after the frame."""
        corners, *after = self._search_graph.run(_batch([before, now]), *state)
        return cast(FloatArray, corners[0]), Recurrent(*after)


def load_graphs(
    folder: Path, engine: ModuleType, precision: str, threads: int
) -> tuple[Graph, Graph, Geometry]:
    """Template and search graph of an export, and the network's geometry.

    Raises:
        EngineError: as `GraphMatcher.load`.
    """
    try:
        description = json.loads((folder / "network.json").read_text())
        geometry = Geometry(**description["geometry"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(f"{folder} is no complete export ({error}); delete it") from error
    # A template is made once: in full precision it costs nothing and takes a fifth of the
    # error off every frame (docs/performance.md).
    template = engine.load(folder / "template.onnx", "fp32", threads)
    return template, engine.load(folder / SEARCH, precision, threads), geometry


def _batch(images: list[Image]) -> Image:
    """(N, height, width, 3), contiguous; a single contiguous image is not copied."""
    if len(images) == 1:
        return np.ascontiguousarray(images[0])[None]
    return np.stack(images)
