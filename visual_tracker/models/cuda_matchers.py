"""A SiamRPN network on a CUDA device: one upload, one captured graph, one read-back a frame.

The parts of the frame in which targets are searched go up out of pinned memory in one copy. For
each number of targets and size of crop there is one CUDA graph, of all that follows: cutting the
crops (`visual_tracker.models.device_crops`), network, softmax and packing. Scores, deltas and
embeddings of all targets come back in one copy. A graph holds its buffers, so templates are copied
into it, on the device, when a target takes another one's place.

Decoding and ranking stay on the host (docs/performance.md says why). The same code runs without
graphs on the CPU, where the tests compare it with the eager matcher and with OpenCV's crops.
Unmeasured: no CUDA device was at hand when this was written.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from visual_tracker.images import Image
from visual_tracker.models.device_crops import MOST_CROPS, Source, Upload, cut_crops
from visual_tracker.models.matchers import FloatArray, Question, Response
from visual_tracker.models.siamrpn import SiamRpnNetwork, Template
from visual_tracker.models.torch_matchers import TYPES, TorchProposalMatcher
from visual_tracker.timing import NETWORK, timed

#: graphs that are kept; long-term search passes through a dozen sizes
_GRAPHS = 24
#: runs before a capture, as PyTorch's documentation asks for
_WARM_UPS = 3


class PackedSearch:
    """A network's answers to a batch of crops of one size, through buffers that stay in place.

    Args:
        network: in eval mode, on the device and in the precision.
        templates: of any targets, as many as crops of the batch; those of the first call.
        size: height and width of the crops.
        upload: holds the crops of any valid batch, for the runs before the capture.
        device: torch device.
        precision: "fp32" or "bf16".
    """

    def __init__(
        self,
        network: SiamRpnNetwork,
        templates: Sequence[Template],
        size: tuple[int, int],
        upload: Upload,
        device: str,
        precision: str,
    ) -> None:
        self._network = network
        self._type = TYPES[precision]
        self._batch, self._size = len(templates), size
        self._upload = upload
        self._held = list(templates)
        self._templates = Template(*(torch.cat(values) for values in zip(*templates, strict=True)))
        self._shapes: list[torch.Size] = []
        self._graph: Any = None
        if device.startswith("cuda"):
            self._packed = self._capture()
            self._pinned = torch.empty(self._packed.shape, pin_memory=True)

    def __call__(self, templates: Sequence[Template]) -> list[Response]:
        """Answers to the crops in the upload; the arrays are the caller's own.

        Args:
            templates: at most one a crop of the batch; nothing is answered to further crops.
        """
        for place, template in enumerate(templates):
            if template is not self._held[place]:
                self._held[place] = template
                for own, given in zip(self._templates, template, strict=True):
                    own[place : place + 1].copy_(given, non_blocking=True)
        count = len(templates)
        if self._graph is None:
            return self._unpacked(self._run()[:count].numpy())
        self._graph.replay()
        self._pinned[:count].copy_(self._packed[:count], non_blocking=True)
        torch.cuda.current_stream().synchronize()
        return self._unpacked(self._pinned[:count].numpy().copy())

    def _run(self) -> Tensor:
        """Scores, deltas and embedding as one line of float32 a crop."""
        crops = cut_crops(self._upload.on_device, self._batch, *self._size)
        proposals = self._network.propose(self._templates, crops.to(self._type))
        scores = proposals.logits.float().softmax(dim=1)[:, 1]
        parts = (scores, proposals.deltas, proposals.embedding)
        self._shapes = [part.shape[1:] for part in parts]
        return torch.cat([part.float().flatten(1) for part in parts], dim=1)

    def _capture(self) -> Tensor:
        """Record the run as a graph; its result is always in the tensor returned."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UPS):
                self._run()
        torch.cuda.current_stream().wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            return self._run()

    def _unpacked(self, lines: np.ndarray) -> list[Response]:
        ends = np.cumsum([shape.numel() for shape in self._shapes])[:-1]
        return [
            Response(
                *(
                    piece.reshape(shape)
                    for piece, shape in zip(np.split(line, ends), self._shapes, strict=True)
                )
            )
            for line in lines
        ]


class PackedProposalMatcher(TorchProposalMatcher):
    """A SiamRPN network through packed searches; those not used for longest are let go.

    Several threads may share it, as the cameras of one process do: whatever runs on the device
    waits for the others, since buffers are shared and nothing else may run during a capture.

    Args:
        network: in eval mode.
        device: torch device.
        precision: "fp32" or "bf16".
    """

    def __init__(self, network: SiamRpnNetwork, device: str, precision: str = "bf16") -> None:
        super().__init__(network, device, precision)
        # streams and replays belong to the current device, which need not be this one
        on_cuda = device.startswith("cuda")
        self._device_context = partial(torch.cuda.device, device) if on_cuda else nullcontext
        self._upload = Upload(device)
        self._searches: OrderedDict[tuple[int, int, int], PackedSearch] = OrderedDict()
        self._lock = threading.Lock()

    @torch.no_grad()
    def learn(self, image: Image) -> Template:
        """Template of a crop, on the device."""
        with self._lock:
            return self._network.learn(self._tensor([image]))

    def embedding(self, template: Template) -> FloatArray:
        """phi(z), (C, h, w)."""
        with self._lock:
            return super().embedding(template)

    def mixed(self, template: Template, other: Template, share: float) -> Template:
        """A template between two."""
        with self._lock:
            return super().mixed(template, other, share)

    def respond(self, template: Template, image: Image) -> Response:
        """Answer to a search crop."""
        return self.respond_many([Question.of_crop(template, image)])[0]

    @timed(NETWORK)
    @torch.no_grad()
    def respond_many(self, questions: Sequence[Question]) -> list[Response]:
        """Answers in order; a batch has crops of one size, which are cut on the device."""
        responses: dict[int, Response] = {}
        with self._lock, self._device_context():
            for batch in _batches(questions):
                answers = self._respond([questions[index] for index in batch])
                responses.update(zip(batch, answers, strict=True))
        return [responses[index] for index in range(len(questions))]

    def _respond(self, questions: Sequence[Question]) -> list[Response]:
        # Few graphs do for any number of targets: the next power of two takes them all.
        batch = 1 << (len(questions) - 1).bit_length()
        sources = [Source(question) for question in questions]
        self._make_room(sum(source.pixels for source in sources))
        self._upload.put(sources, batch)
        templates = [question.template for question in questions]
        frame = questions[0].frame
        return self._search(templates, batch, (frame.height, frame.width))(templates)

    def _make_room(self, pixels: int) -> None:
        """A larger upload if need be, for which every graph has to be captured again."""
        if pixels > self._upload.capacity:
            self._searches.clear()
            self._upload = Upload(self._device, 2 * pixels)

    def _search(
        self, templates: Sequence[Template], batch: int, size: tuple[int, int]
    ) -> PackedSearch:
        key = (batch, *size)
        search = self._searches.get(key)
        if search is None:
            filled = [*templates, *[templates[0]] * (batch - len(templates))]
            search = self._searches[key] = PackedSearch(
                self._network, filled, size, self._upload, self._device, self._precision
            )
            if len(self._searches) > _GRAPHS:
                self._searches.popitem(last=False)
        self._searches.move_to_end(key)
        return search


def _batches(questions: Sequence[Question]) -> Iterator[list[int]]:
    """Indices of questions whose crops are of one size, as many as an upload takes."""
    by_size: dict[tuple[int, int], list[int]] = {}
    for index, question in enumerate(questions):
        by_size.setdefault((question.frame.height, question.frame.width), []).append(index)
    for alike in by_size.values():
        for begin in range(0, len(alike), MOST_CROPS):
            yield alike[begin : begin + MOST_CROPS]
