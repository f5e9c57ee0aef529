"""Re3 on the trunk of `lite`: two LSTMs that turn two crops of one place into a box.

Gordon, Farhadi and Fox, "Re3: Real-Time Recurrent Regression Networks for Visual Tracking of
Generic Objects", RA-L 2018. One crop shows the target in the last frame, the other the same place
in this one. Their maps of two depths, few channels of each (the paper's skip connections), go
through one layer to the LSTMs, of which the second sees what the first one sees, too.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from visual_tracker.models.efficientnet_lite import EfficientNetLite0
from visual_tracker.models.geometry import LITE_RE3
from visual_tracker.models.lite import LiteFeatures
from visual_tracker.models.lstm import NormedLstmCell
from visual_tracker.models.states import RecurrentState

#: channels that are kept of the maps of stride 8 (halved in size) and 16
_KEPT = (8, 24)


class SkipNeck(nn.Module):
    """Few channels of both maps, at stride 16."""

    def __init__(self, fine: int, coarse: int) -> None:
        super().__init__()
        self.fine = nn.Sequential(nn.Conv2d(fine, _KEPT[0], 3, 2, 1), nn.PReLU(_KEPT[0]))
        self.coarse = nn.Sequential(nn.Conv2d(coarse, _KEPT[1], 1), nn.PReLU(_KEPT[1]))

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """Join (B, fine, H, W) and (B, coarse, h, w) to (B, 32, h, w)."""
        return torch.cat([self.fine(fine), self.coarse(coarse)], dim=1)


class LiteRe3(LiteFeatures):
    """Re3.

    Args:
        joined: length of what the LSTMs see of two crops.
        hidden: of their states.
    """

    geometry = LITE_RE3

    def __init__(self, joined: int = 192, hidden: int = 192) -> None:
        super().__init__()
        self.neck = SkipNeck(*EfficientNetLite0.channels)
        cells = (LITE_RE3.search_size - 1) // LITE_RE3.stride + 1
        self.join = nn.Sequential(nn.Linear(2 * sum(_KEPT) * cells**2, joined), nn.PReLU())
        self.first = NormedLstmCell(joined, hidden)
        self.second = NormedLstmCell(joined + hidden, hidden)
        self.corners = nn.Linear(hidden, 4)
        self.hidden = hidden
        # it begins with the last box: a quarter of the crop's side to each side of the middle
        nn.init.zeros_(self.corners.weight)
        with torch.no_grad():
            self.corners.bias.copy_(torch.tensor([-0.25, -0.25, 0.25, 0.25]))

    def begin(self, image: Tensor) -> RecurrentState[Tensor]:
        """The state after the first frame's crops (B, 3, S, S)."""
        return self._begun(self._seen(image))

    def follow(
        self, state: RecurrentState[Tensor], before: Tensor, now: Tensor
    ) -> tuple[Tensor, RecurrentState[Tensor]]:
        """One frame.

        Args:
            state: after the last frame.
            before: crops (B, 3, S, S) around the last box in the last frame.
            now: of the same places in this frame.

        Returns:
            left, top, right and bottom of the target (B, 4) in crop sides from the crop's centre,
            and the state after this frame.
        """
        before, now = self._seen(torch.cat([before, now])).chunk(2)
        return self._step(state, before, now)

    def forward(self, template_image: Tensor, search_image: Tensor) -> Tensor:
        """Sequences of T frames at once, for training.

        Args:
            template_image: the target in the frame before each, (B, T, 3, S, S).
            search_image: the frames, (B, T, 3, S, S).

        Returns:
            corners (B, T, 4) as :meth:`follow` gives them.
        """
        batch, frames = search_image.shape[:2]
        crops = torch.cat([template_image.flatten(0, 1), search_image.flatten(0, 1)])
        before, now = (seen.unflatten(0, (batch, frames)) for seen in self._seen(crops).chunk(2))
        state = self._begun(before[:, 0])
        corners = []
        for number in range(frames):
            its, state = self._step(state, before[:, number], now[:, number])
            corners.append(its)
        return torch.stack(corners, dim=1)

    def _begun(self, seen: Tensor) -> RecurrentState[Tensor]:
        """The state after a first frame: both crops are the same, and nothing was before."""
        zeros = seen.new_zeros(len(seen), self.hidden)
        return self._step(RecurrentState(zeros, zeros, zeros, zeros), seen, seen)[1]

    def _seen(self, image: Tensor) -> Tensor:
        """Features of crops in a row each, (B, F)."""
        return self.features(image).flatten(1)

    def _step(
        self, state: RecurrentState[Tensor], before: Tensor, now: Tensor
    ) -> tuple[Tensor, RecurrentState[Tensor]]:
        joined = self.join(torch.cat([before, now], dim=1))
        hidden, cell = self.first(joined, state.hidden, state.cell)
        both = torch.cat([joined, hidden], dim=1)
        second, second_cell = self.second(both, state.second_hidden, state.second_cell)
        return self.corners(second), RecurrentState(hidden, cell, second, second_cell)
