"""Matchers by network, file, device and engine; trackers that ask for the same share one.

torch is imported only when it is needed: to run a network, or to export one that is not in the
cache yet.
"""

from __future__ import annotations

import logging
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, TypeVar
from weakref import WeakValueDictionary

from visual_tracker.models import export_cache
from visual_tracker.models.engines.base import EngineError
from visual_tracker.models.engines.choice import AUTO, Choice, choices
from visual_tracker.models.graph_matchers import (
    GraphMatcher,
    GraphMemoryMatcher,
    GraphProposalMatcher,
    GraphRecurrentMatcher,
    GraphResponseMatcher,
)
from visual_tracker.models.parallel_matchers import ParallelProposalMatcher
from visual_tracker.models.weights import WeightsError
from visual_tracker.threads import limit_threads

_LOG = logging.getLogger(__name__)

T = TypeVar("T")

Load = Callable[[Path, ModuleType, str, int], T]
"""Reads an export for an engine in a precision, on so many threads."""

Writer = Callable[[Path], None]
"""Writes an export into a folder."""

#: by kind of network, as torch_matchers.MATCHERS; these are what `export` writes
GRAPH_MATCHERS: dict[str, type[GraphMatcher]] = {
    "siamrpn": GraphProposalMatcher,
    "siamfc": GraphResponseMatcher,
    "cfnet": GraphResponseMatcher,
    "memtrack": GraphMemoryMatcher,
    "re3": GraphRecurrentMatcher,
}


class MatcherSpec(NamedTuple):
    """What a matcher is made of.

    Attributes:
        kind: of network, like "siamrpn".
        network: name, like "lite".
        weights: file.
        device: torch device.
        engine: of `engines.choice.ENGINES`.
        precision: of `engines.choice.PRECISIONS`.
        threads: most that the engine uses.
    """

    kind: str
    network: str
    weights: Path
    device: str
    engine: str
    precision: str
    threads: int


#: held while a network is loaded and exported: torch's exporter knows one export at a time
_MAKING = threading.RLock()

#: matchers in use; one that no tracker holds any more is freed
_MATCHERS: WeakValueDictionary[MatcherSpec, Any] = WeakValueDictionary()


def shared_matcher(spec: MatcherSpec) -> Any:
    """The matcher in use, or a new one if none is.

    Raises:
        WeightsError: if the file cannot be used.
        EngineError: if the engine named cannot run it.
    """
    return made_once(_MATCHERS, spec, lambda: _load(spec))


def made_once(made: WeakValueDictionary[Any, Any], key: object, make: Callable[[], Any]) -> Any:
    """What is in use under a key, or what `make` gives if nothing is; one is made at a time."""
    with _MAKING:
        found = made.get(key)
        if found is None:
            found = made[key] = make()
        return found


def _load(spec: MatcherSpec) -> Any:
    def make(choice: Choice) -> tuple[Choice, Any]:
        return choice, (_on_torch if choice.engine is None else _on_graph)(spec, choice)

    choice, matcher = on_first_engine(spec, make)
    if isinstance(matcher, GraphMatcher):
        matcher.warm_up()
    _LOG.info("network %s runs on %s in %s", spec.network, choice.name, choice.precision)
    return matcher


def on_first_engine(spec: MatcherSpec, make: Callable[[Choice], T]) -> T:
    """What `make` gives on the first engine that works; with "auto" torch comes last.

    Raises:
        EngineError: if the engine named cannot run it.
    """
    for choice in choices(spec.engine, spec.precision, spec.device):
        try:
            return make(choice)
        except EngineError as error:
            if spec.engine != AUTO:
                raise
            _LOG.warning("engine %s is not used: %s", choice.name, error)
    raise EngineError("no engine can run the network; see the warnings above")


def _on_torch(spec: MatcherSpec, choice: Choice) -> Any:
    from visual_tracker.models import torch_matchers

    limit_threads(spec.threads)
    network = torch_matchers.load_network(spec.kind, spec.network, spec.weights)
    make: Any = torch_matchers.MATCHERS[spec.kind]
    if spec.kind == "siamrpn" and spec.device.startswith("cuda"):
        from visual_tracker.models import cuda_matchers

        make = cuda_matchers.PackedProposalMatcher
    return make(network, spec.device, choice.precision)


def _on_graph(spec: MatcherSpec, choice: Choice) -> GraphMatcher:
    """A matcher on an export from the cache, made first if need be.

    A cache that cannot be written costs the export at every start, nothing else.
    """
    make = GRAPH_MATCHERS[spec.kind]
    if make is GraphProposalMatcher and spec.threads > 1:
        make = ParallelProposalMatcher
    return on_engine(spec, choice, make.load, _writer(spec))


def on_engine(spec: MatcherSpec, choice: Choice, load: Load[T], write: Writer) -> T:
    """What `load` makes of an export from the cache, or of one that `write` makes first.

    Raises:
        EngineError: if the engine cannot run it or it cannot be written.
        WeightsError: if the file of the weights cannot be read.
    """
    assert choice.engine is not None
    settings = (choice.engine, choice.precision, spec.threads)
    name = _export_name(spec)
    folder = export_cache.cached_export(name)
    if folder is not None:
        try:
            return load(folder, *settings)
        except EngineError as error:
            _LOG.warning("the cached export is made anew: %s", error)
            export_cache.discard_export(name)
    try:
        return load(export_cache.make_export(name, write), *settings)
    except OSError as error:
        _LOG.warning("exports cannot be kept: %s", error)
    try:
        with tempfile.TemporaryDirectory() as folder_of_one_run:
            write(Path(folder_of_one_run))
            return load(Path(folder_of_one_run), *settings)
    except OSError as error:
        raise EngineError(f"there is no place for the network's export: {error}") from error


def is_exported(kind: str, network: str, weights: Path) -> bool:
    """Whether the cache holds the network, so that torch is not needed."""
    try:
        name = export_cache.export_name(kind, network, weights)
    except OSError:
        return False
    return export_cache.cached_export(name) is not None


def _export_name(spec: MatcherSpec) -> str:
    try:
        return export_cache.export_name(spec.kind, spec.network, spec.weights)
    except OSError as error:
        raise WeightsError(f"{spec.weights} cannot be read: {error}") from error


def _writer(spec: MatcherSpec) -> Writer:
    """Writes the network's export into a folder."""

    def write(folder: Path) -> None:
        try:
            from visual_tracker.models import exports, torch_matchers
        except ImportError as error:
            raise EngineError(
                f"the network has to be exported once, which needs torch: {error}"
            ) from error
        limit_threads(spec.threads)
        network = torch_matchers.load_network(spec.kind, spec.network, spec.weights)
        try:
            exports.export_onnx(network, folder)
        except exports.ExportError as error:
            raise EngineError(str(error)) from error

    return write
