"""MemTrack on the trunk of `lite`: SiamFC whose template comes out of a memory, frame by frame.

Yang and Chan, "Learning Dynamic Memory Networks for Object Tracking", ECCV 2018. Trunk, neck, crops
and response are SiamFC's, so that its weights can be begun with.
"""

from __future__ import annotations

import torch
from torch import Tensor

from visual_tracker.models.correlation import full_correlation
from visual_tracker.models.dynamic_memory import DynamicMemory
from visual_tracker.models.siamfc import LiteSiamFc
from visual_tracker.models.states import MemoryState


class LiteMemTrack(LiteSiamFc):
    """MemTrack.

    Args:
        channels: width of the features.
    """

    def __init__(self, channels: int = 192) -> None:
        super().__init__(channels)
        self.memory = DynamicMemory(channels, self.kernel_size)

    def begin(self, image: Tensor) -> MemoryState[Tensor]:
        """What is remembered of the first frame's template crops (B, 3, T, T)."""
        state: MemoryState[Tensor] = self.memory.begin(self.learn(image))
        return state

    def recall(
        self, state: MemoryState[Tensor], written: Tensor, image: Tensor
    ) -> tuple[Tensor, MemoryState[Tensor]]:
        """Search one target's frame at several scales.

        Args:
            state: of one target, after the last frame.
            written: its template in the last frame, (1, C, k, k).
            image: search crops (N, 3, S, S); the controller looks at the first of them.

        Returns:
            logits (N, 1, H, W) and the state after this frame.
        """
        features = self.features(image)
        template, state = self.memory(state, written, features[:1])
        return self.logits(full_correlation(features, template)), state

    def forward(self, template_image: Tensor, search_image: Tensor) -> Tensor:
        """Sequences of T frames at once, for training.

        Args:
            template_image: the target in the frame before each, (B, T, 3, t, t), so that the first
                is that of the frame that the tracker is started on.
            search_image: (B, T, 3, s, s).

        Returns:
            logits (B, T, 1, H, W).
        """
        batch, frames = search_image.shape[:2]
        # all frames go through the trunk together; what follows each other is the memory alone
        templates = self.learn(template_image.flatten(0, 1)).unflatten(0, (batch, frames))
        searches = self.features(search_image.flatten(0, 1)).unflatten(0, (batch, frames))
        state = self.memory.begin(templates[:, 0])
        responses = []
        for number in range(frames):
            template, state = self.memory(state, templates[:, number], searches[:, number])
            responses.append(self.logits(full_correlation(searches[:, number], template)))
        return torch.stack(responses, dim=1)
