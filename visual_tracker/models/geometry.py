"""The sizes that tie a network's response map to its crops."""

from __future__ import annotations

from dataclasses import dataclass


class GeometryError(ValueError):
    """A crop size that a network cannot take; the message names the sizes that it can."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """Sizes of a Siamese network, in crop pixels.

    Attributes:
        template_size: side of the template crop.
        search_size: side of the search crop of short-term tracking.
        stride: crop pixels between two cells of the response map.
        kernel_span: crop pixels that a cell's window covers: the map of a search crop of side s
            has (s - kernel_span) / stride + 1 cells a side, and its middle is the crop's centre.
        size_step: search sizes are `search_size` plus or minus multiples of this; 0: no others.
        anchor_ratios: height over width of the anchors of a cell, in the order of the outputs.
        anchor_scale: side of the square anchor, in strides.
        context_size: crop pixels that the target with its context takes (`crops.context_side`), in
            both crops; 0 stands for all of the template crop.
        stretched: whether crops are stretched so that the target is a square in them.
    """

    template_size: int
    search_size: int
    stride: int
    kernel_span: int
    size_step: int
    anchor_ratios: tuple[float, ...] = (0.33, 0.5, 1.0, 2.0, 3.0)
    anchor_scale: int = 8
    context_size: int = 0
    stretched: bool = False

    def __post_init__(self) -> None:
        """Take ratios from any sequence, since a file gives a list, and settle the context."""
        object.__setattr__(self, "anchor_ratios", tuple(self.anchor_ratios))
        object.__setattr__(self, "context_size", self.context_size or self.template_size)

    @property
    def anchors(self) -> int:
        """Anchors a cell."""
        return len(self.anchor_ratios)

    def response_size(self, search_size: int) -> int:
        """Cells a side of the response map of a search crop.

        Raises:
            GeometryError: if the network has no centred map for that size.
        """
        difference = search_size - self.search_size
        on_grid = difference % self.size_step == 0 if self.size_step else difference == 0
        if not on_grid or search_size < self.kernel_span:
            others = f" plus or minus multiples of {self.size_step}" if self.size_step else ""
            raise GeometryError(
                f"a search size of {search_size} does not fit; use {self.search_size}{others}"
            )
        return (search_size - self.kernel_span) // self.stride + 1

    def fitting_size(self, size: float, step: int | None = None) -> int:
        """The smallest search size that fits and is at least `size` and one cell.

        Args:
            size: in crop pixels.
            step: between two sizes, a multiple of `size_step`, for fewer of them; None: that.
        """
        step = self.size_step if step is None else step
        smallest = self.search_size - (self.search_size - self.kernel_span) // step * step
        # A size that rounding put a hair above a step must not cost a whole step more.
        steps = max(0, -(-(size - smallest - 1e-6) // step))
        return int(smallest + steps * step)


#: the paper's network: nothing is padded, so the whole template is the kernel
ALEXNET = Geometry(template_size=127, search_size=271, stride=8, kernel_span=127, size_step=8)

#: our SiamFC: crops of 16 n + 1 pixels keep every stride's grid centred on the crop although the
#: convolutions are padded; the kernel is the middle 7x7 cells of the template
LITE = Geometry(template_size=129, search_size=257, stride=8, kernel_span=49, size_step=16)

#: our CFNet: as our SiamFC, but the filter is solved on as much of the first frame as is searched
#: later, and its middle 9x9 cells are the kernel
LITE_CFNET = Geometry(
    template_size=257, search_size=257, stride=8, kernel_span=65, size_step=16, context_size=129
)

#: our SiamRPN: the same crops at stride 16, one square anchor a cell (box regression and a deep
#: head make up for the others); a cell's window is 3x3 cells
LITE_RPN = Geometry(
    template_size=129,
    search_size=257,
    stride=16,
    kernel_span=33,
    size_step=16,
    anchor_ratios=(1.0,),
    anchor_scale=4,
)

#: our Re3: two crops of one size and place, which a target fills half of each side of; no map
LITE_RE3 = Geometry(
    template_size=129, search_size=129, stride=16, kernel_span=129, size_step=0, stretched=True
)
