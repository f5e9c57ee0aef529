"""What turns gradients into steps: AdamW, and Muon for the layers that are matrices.

Muon: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024. The momentum
of a matrix is made orthogonal, so that all its directions learn, not the few with the largest
gradients. A 1x1 convolution is such a matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import AdamW
from torch.optim import Optimizer as TorchOptimizer

from visual_tracker.parameters import ParameterError


class Optimizer:
    """AdamW and, where it is asked for, Muon, in step with each other.

    Args:
        groups: parameters that share a rate.
        weight_decay: decoupled, of both.
        muon: rate of Muon as a multiple of a group's rate; 0 leaves everything to AdamW.

    Raises:
        ParameterError: if Muon is asked for and this torch has none.
    """

    def __init__(
        self, groups: Sequence[Sequence[nn.Parameter]], weight_decay: float, muon: float = 0.0
    ) -> None:
        self._muon_factor = muon
        matrices = [[p for p in group if muon and _is_matrix(p)] for group in groups]
        taken = {id(parameter) for group in matrices for parameter in group}
        rest = [[p for p in group if id(p) not in taken] for group in groups]
        self._adamw = AdamW([{"params": group} for group in rest], weight_decay=weight_decay)
        # Muon takes two dimensions only, so it is given views, which share values and gradients
        self._views = [[(p, nn.Parameter(p.data.flatten(1))) for p in group] for group in matrices]
        self._muon: TorchOptimizer | None = None
        if taken:
            settings: list[dict[str, Any]] = [
                {"params": [view for _, view in group]} for group in self._views
            ]
            self._muon = _muon(settings, weight_decay)

    @property
    def rates(self) -> list[float]:
        """The rate of each group, as AdamW takes it."""
        return [settings["lr"] for settings in self._adamw.param_groups]

    def set_rates(self, rates: Sequence[float]) -> None:
        """Set the rate of each group."""
        for settings, rate in zip(self._adamw.param_groups, rates, strict=True):
            settings["lr"] = rate
        if self._muon is not None:
            for settings, rate in zip(self._muon.param_groups, rates, strict=True):
                settings["lr"] = rate * self._muon_factor

    def unscale(self, scaler: GradScaler) -> None:
        """Take the scaler's factor out of all gradients."""
        scaler.unscale_(self._adamw)
        if self._muon is None:
            return
        for group in self._views:
            for parameter, view in group:
                view.grad = None if parameter.grad is None else parameter.grad.flatten(1)
        scaler.unscale_(self._muon)

    def step(self, scaler: GradScaler) -> None:
        """Change the parameters; :meth:`unscale` comes first."""
        scaler.step(self._adamw)
        if self._muon is not None:
            scaler.step(self._muon)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self._adamw.zero_grad(set_to_none=True)
        for group in self._views:
            for parameter, view in group:
                parameter.grad = view.grad = None

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        muon = None if self._muon is None else self._muon.state_dict()
        return {"adamw": self._adamw.state_dict(), "muon": muon}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint's state."""
        self._adamw.load_state_dict(state["adamw"])
        if self._muon is not None:
            self._muon.load_state_dict(state["muon"])


def _muon(settings: list[dict[str, Any]], weight_decay: float) -> TorchOptimizer:
    # the rest of training needs no torch as new as this
    try:
        from torch.optim import Muon
    except ImportError:
        raise ParameterError(
            f"muon needs torch 2.9 or newer, this is {torch.__version__}; install a newer one or "
            "set muon=0"
        ) from None
    return Muon(settings, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")


def _is_matrix(parameter: nn.Parameter) -> bool:
    """Whether these are the weights of a 1x1 convolution over more than one channel."""
    shape = parameter.shape
    return len(shape) == 4 and shape[1] > 1 and shape[2] == shape[3] == 1
