"""Which engine runs a network on this machine, and in which precision."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

from visual_tracker.models.engines import onnxruntime, openvino
from visual_tracker.models.engines.base import EngineError

TORCH = "torch"
AUTO = "auto"

#: the best first, as measured (docs/performance.md)
_ENGINES: tuple[ModuleType, ...] = (openvino, onnxruntime)
_TORCH_PRECISIONS = ("fp32", "bf16")

#: values of the parameters `engine` and `precision`
ENGINES = (AUTO, *(engine.NAME for engine in _ENGINES), TORCH)
PRECISIONS = (AUTO, "fp32", "bf16")


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine and a precision.

    Attributes:
        name: of the engine.
        precision: "fp32" or "bf16".
        engine: its module; None for torch.
    """

    name: str
    precision: str
    engine: ModuleType | None


def choices(engine: str, precision: str, device: str) -> Iterator[Choice]:
    """What to try, the best first; nothing is loaded until the next one is asked for.

    Args:
        engine: one of ENGINES. "auto" is every engine installed that has the precision, and torch
            last; on another device than the CPU it is torch.
        precision: one of PRECISIONS. "auto" is the engine's best on this processor.
        device: torch device.

    Raises:
        EngineError: if the engine named cannot run on the device or in the precision.
    """
    if engine == AUTO:
        if device == "cpu":
            for module in _ENGINES:
                if missing_module(module.NAME) is None and _has(module, precision):
                    yield _choice(module, precision)
        engine = TORCH
    if engine == TORCH:
        yield Choice(TORCH, _torch_precision(precision, device), None)
        return
    module = _module(engine)
    if device != "cpu":
        raise EngineError(f"engine '{engine}' runs on the CPU only; use torch on '{device}'")
    if not _has(module, precision):
        raise EngineError(
            f"engine '{engine}' has no precision {precision}; it has {', '.join(module.PRECISIONS)}"
        )
    yield _choice(module, precision)


def installed_engine() -> bool:
    """Whether there is any engine beside torch."""
    return any(missing_module(module.NAME) is None for module in _ENGINES)


def missing_module(engine: str) -> str | None:
    """The module that an engine of ENGINES lacks here, None if it lacks none."""
    modules = () if engine in (AUTO, TORCH) else _module(engine).MODULES
    return next((name for name in modules if importlib.util.find_spec(name) is None), None)


def extra_of(engine: str) -> str:
    """The package's extra that brings an engine."""
    return "dl" if engine in (AUTO, TORCH) else str(_module(engine).EXTRA)


def _module(engine: str) -> ModuleType:
    return next(module for module in _ENGINES if engine == module.NAME)


def _has(module: ModuleType, precision: str) -> bool:
    return precision in (AUTO, *module.PRECISIONS)


def _choice(module: ModuleType, precision: str) -> Choice:
    chosen = module.best_precision() if precision == AUTO else precision
    return Choice(module.NAME, chosen, module)


def _torch_precision(precision: str, device: str) -> str:
    """fp32 on the CPU, where eager bf16 gains little; on a GPU half the bytes."""
    if precision in _TORCH_PRECISIONS:
        return precision
    return "fp32" if device == "cpu" else "bf16"
