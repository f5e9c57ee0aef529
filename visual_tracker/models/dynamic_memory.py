"""A memory of templates that a recurrent controller reads and writes, frame by frame.

Yang and Chan, "Learning Dynamic Memory Networks for Object Tracking", ECCV 2018. An LSTM
looks at the search region and says which slots of the memory to read, how much of what they hold is
added to the first template, and where the template of this frame is to be written once the target
is found in it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from visual_tracker.models.lstm import NormedLstmCell
from visual_tracker.models.states import MemoryState

#: where a read key and a slot's key are compared, no product of lengths is below this
_EPSILON = 1e-6


class DynamicMemory(nn.Module):
    """Controller and memory.

    Args:
        channels: of a template.
        size: its cells a side.
        slots: templates that are kept beside the first.
        hidden: length of the controller's state.
        usage_decay: how much of a slot's use is remembered a frame later.
    """

    def __init__(
        self,
        channels: int,
        size: int,
        slots: int = 8,
        hidden: int = 256,
        usage_decay: float = 0.99,
    ) -> None:
        super().__init__()
        self.size, self.slots, self.usage_decay = size, slots, usage_decay
        self.first_hidden = nn.Linear(channels, hidden)
        self.first_cell = nn.Linear(channels, hidden)
        self.look_at = nn.Linear(channels, channels, bias=False)
        self.look_for = nn.Linear(hidden, channels)
        self.attention = nn.Linear(channels, 1, bias=False)
        self.controller = NormedLstmCell(channels, hidden)
        self.key = nn.Linear(hidden, channels)
        self.strength = nn.Linear(hidden, 1)
        self.residual = nn.Linear(hidden, channels)
        self.choice = nn.Linear(hidden, 3)
        self.decay = nn.Linear(hidden, 1)
        # Before training little of what was read is added: it begins as a tracker of the first
        # template.
        nn.init.constant_(self.residual.bias, -2.0)

    def begin(self, first: Tensor) -> MemoryState[Tensor]:
        """The state after the first frame; its template (B, C, k, k) goes to the first slot."""
        seen = first.mean(dim=(2, 3))
        one = (torch.arange(self.slots, device=first.device) == 0).to(first.dtype)
        use = one.expand(len(first), -1)
        return MemoryState(
            first,
            first.new_zeros(len(first), self.slots, *first.shape[1:]),
            use,
            use,
            self.first_hidden(seen).tanh(),
            self.first_cell(seen).tanh(),
        )

    def forward(
        self, state: MemoryState[Tensor], written: Tensor, search: Tensor
    ) -> tuple[Tensor, MemoryState[Tensor]]:
        """One frame.

        Args:
            state: after the last frame.
            written: template of the target in the last frame, (B, C, k, k).
            search: features of the search region, (B, C, h, w), of k cells a side or more.

        Returns:
            the template to search with, (B, C, k, k), and the state after this frame.
        """
        slots = _replaced(state.slots, state.write, written)
        hidden, cell = self.controller(
            self._attended(search, state.hidden), state.hidden, state.cell
        )
        read = self._read_weights(slots, hidden)
        found = (read[:, :, None, None, None] * slots).sum(dim=1)
        template = state.first + self.residual(hidden).sigmoid()[:, :, None, None] * found
        to_read, to_unused = self._write_weights(state.usage, read, hidden)
        usage = self.usage_decay * state.usage + read + to_read + to_unused
        # a slot that was read keeps a part of what it held, an unused one nothing
        write = self.decay(hidden).sigmoid() * to_read + to_unused
        return template, MemoryState(state.first, slots, usage, write, hidden, cell)

    def _attended(self, search: Tensor, hidden: Tensor) -> Tensor:
        """What the controller looks at ("attention scheme"): a weighted mean of places, (B, C)."""
        places = functional.avg_pool2d(search, self.size, stride=1).flatten(2).transpose(1, 2)
        looks = (self.look_at(places) + self.look_for(hidden)[:, None]).tanh()
        weights = self.attention(looks).softmax(dim=1)
        attended: Tensor = (weights * places).sum(dim=1)
        return attended

    def _read_weights(self, slots: Tensor, hidden: Tensor) -> Tensor:
        """Shares of the slots, by the cosine between their means and the key ("memory reading")."""
        keys, key = slots.mean(dim=(3, 4)), self.key(hidden)[:, None]
        lengths = keys.square().sum(dim=2) * key.square().sum(dim=2)
        cosines = (keys * key).sum(dim=2) / (lengths + _EPSILON).sqrt()
        strength = 1 + functional.softplus(self.strength(hidden))
        return (cosines * strength).softmax(dim=1)

    def _write_weights(self, usage: Tensor, read: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Shares that are written to the slots read, and to the least used one ("memory writing").

        The third choice is to write nothing.
        """
        _, to_read, to_unused = self.choice(hidden).softmax(dim=1).split(1, dim=1)
        numbers = torch.arange(self.slots, device=usage.device)
        unused = (numbers == usage.argmin(dim=1, keepdim=True)).to(usage.dtype)
        return to_read * read, to_unused * unused


def _replaced(slots: Tensor, share: Tensor, template: Tensor) -> Tensor:
    """Slots (B, S, C, k, k) of which a share (B, S) each is replaced by (B, C, k, k)."""
    weight = share[:, :, None, None, None]
    return slots * (1 - weight) + weight * template[:, None]
