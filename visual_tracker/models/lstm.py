"""A step of an LSTM out of layers that every engine has."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class NormedLstmCell(nn.Module):
    """An LSTM's step in which gates and cell are layer-normalised (Ba et al., 2016, section 3.1).

    Args:
        inputs: length of what comes in.
        hidden: length of the state.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.gates = nn.Linear(inputs + hidden, 4 * hidden, bias=False)
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in range(4))
        self.cell_norm = nn.LayerNorm(hidden)
        # at first the cell is kept, so that a late loss reaches an early frame
        nn.init.ones_(self.norms[1].bias)

    def forward(self, x: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """New (hidden, cell) of (B, inputs) and the old ones, each (B, hidden)."""
        parts = self.gates(torch.cat([x, hidden], dim=1)).chunk(4, dim=1)
        enter, keep, new, out = (norm(part) for norm, part in zip(self.norms, parts, strict=True))
        cell = cell * keep.sigmoid() + enter.sigmoid() * new.tanh()
        return out.sigmoid() * self.cell_norm(cell).tanh(), cell
