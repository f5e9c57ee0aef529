"""What networks remember of a target from frame to frame: tensors in a network, arrays outside."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

Array = TypeVar("Array")


class MemoryState(NamedTuple, Generic[Array]):
    """What a MemTrack network remembers of B targets, with S slots of C channels.

    Attributes:
        first: the first frame's template, (B, C, k, k).
        slots: templates, (B, S, C, k, k).
        usage: how much each slot was read and written of late, (B, S).
        write: share of each slot that the template of the last frame will replace, (B, S).
        hidden: the controller's output, (B, H).
        cell: the controller's state, (B, H).
    """

    first: Array
    slots: Array
    usage: Array
    write: Array
    hidden: Array
    cell: Array


class RecurrentState(NamedTuple, Generic[Array]):
    """What the two LSTMs of a Re3 network remember of B targets, each (B, H)."""

    hidden: Array
    cell: Array
    second_hidden: Array
    second_cell: Array
