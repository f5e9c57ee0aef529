"""Maps of regions by network, file, device and engine; trackers that ask alike share them."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from visual_tracker.models.engines.base import EngineError
from visual_tracker.models.engines.choice import AUTO, TORCH, Choice
from visual_tracker.models.exports import ExportError, export_maps
from visual_tracker.models.region_maps import GraphMaps, RegionMaps, TorchMaps
from visual_tracker.models.shared_matchers import MatcherSpec, made_once, on_engine, on_first_engine

_LOG = logging.getLogger(__name__)

#: maps in use; those that no tracker holds any more are freed
_MAPS: WeakValueDictionary[MatcherSpec, Any] = WeakValueDictionary()


def shared_maps(spec: MatcherSpec, network: Any) -> RegionMaps:
    """The maps in use, or new ones if there are none.

    Args:
        spec: says what runs the network.
        network: an `MdNet` or a `PolicyNetwork` with the weights of `spec`, on its device.

    Raises:
        EngineError: if the engine named cannot run it.
    """
    maps: RegionMaps = made_once(
        _MAPS, spec, lambda: on_first_engine(spec, lambda choice: _on(choice, spec, network))
    )
    return maps


def _on(choice: Choice, spec: MatcherSpec, network: Any) -> RegionMaps:
    if choice.name == TORCH:
        # fp32 on a GPU too, unless asked for otherwise: what it would gain was not measured
        precision = "fp32" if spec.precision == AUTO else choice.precision
        choice = replace(choice, precision=precision)
    _LOG.info("network %s runs on %s in %s", spec.network, choice.name, choice.precision)
    if choice.engine is None:
        return TorchMaps(network, spec.device, choice.precision)

    def write(folder: Path) -> None:
        try:
            export_maps(network, folder)
        except ExportError as error:
            raise EngineError(str(error)) from error

    return on_engine(spec, choice, GraphMaps.load, write)
