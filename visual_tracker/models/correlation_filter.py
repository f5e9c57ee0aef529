"""The correlation filter as a layer: ridge regression over all shifts, solved in closed form.

Valmadre et al., "End-to-end representation learning for Correlation Filter based tracking", CVPR
2017, section 3.2 and appendix: the filter w of C channels minimises

    1/(2 n) |sum_c w_c * x_c - y|^2 + lambda/2 |w|^2

where * is circular cross-correlation, x the features of the target and n cells around it, and y
the response that is wanted: a peak at no shift. In the Fourier domain each frequency is solved by
itself: w_c = x_c y / (sum_c |x_c|^2 + n lambda), y being real since its peak is symmetric. All of
it can be differentiated, so that features are trained for the filter that is made of them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class CorrelationFilter(nn.Module):
    """Make filters of features.

    Args:
        cells: side of the features' square.
        spread: standard deviation of the wanted response's peak, in cells.
        regularization: lambda at first; it is learned.
    """

    window: Tensor
    wanted: Tensor

    def __init__(self, cells: int, spread: float = 1.0, regularization: float = 1.0) -> None:
        super().__init__()
        self.cells = cells
        self.log_regularization = nn.Parameter(torch.tensor(math.log(regularization)))
        self.register_buffer("window", hann_window(cells), persistent=False)
        spectrum = torch.fft.fft2(wanted_response(cells, spread).double()).real.float()
        self.register_buffer("wanted", spectrum, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Solve for (B, C, cells, cells), in float32 at least; middles stay in the middle."""
        # towards the border, where the circle closes, features weigh less (section 3.2)
        spectrum = torch.fft.rfft2(features * self.window.float())
        spectrum = spectrum * self.gain(spectrum.real, spectrum.imag)
        filters: Tensor = torch.fft.irfft2(spectrum, s=(self.cells, self.cells))
        return filters

    def gain(self, real: Tensor, imaginary: Tensor) -> Tensor:
        """What each frequency is multiplied by, (B, 1, cells, frequencies).

        Args:
            real: part of the spectrum, (B, C, cells, frequencies), the first frequencies or all.
            imaginary: the other part.
        """
        power = (real.square() + imaginary.square()).sum(dim=1, keepdim=True)
        regularization = self.cells**2 * self.log_regularization.float().exp()
        return self.wanted[:, : power.shape[-1]].float() / (power + regularization)


def hann_window(cells: int) -> Tensor:
    """Hann window (cells, cells) that is nowhere zero."""
    side = torch.hann_window(cells + 2, periodic=False)[1:-1]
    return side[:, None] * side


def wanted_response(cells: int, spread: float) -> Tensor:
    """A Gaussian (cells, cells) around cell (0, 0) of a circle: what lies left of it comes last."""
    shift = torch.arange(cells)
    shift = torch.minimum(shift, cells - shift).float()
    side = torch.exp(-shift.square() / (2 * spread**2))
    return side[:, None] * side
