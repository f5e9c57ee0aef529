"""`alexnet`: the SiamRPN network of the DaSiamRPN paper, in its three published widths.

Zhu et al., "Distractor-aware Siamese Networks for Visual Object Tracking", ECCV 2018. Layer order
and names of the state dict are those of the authors' files (`SiamRPNVOT.model`, `SiamRPNOTB.model`,
`SiamRPNBIG.model`), so that those load.
"""

from __future__ import annotations

from torch import Tensor, nn

from visual_tracker.models.correlation import full_correlation
from visual_tracker.models.geometry import ALEXNET
from visual_tracker.models.siamrpn import Proposals, SiamRpnNetwork, Template

ANCHORS = ALEXNET.anchors

WIDTHS = (96, 256, 384, 384, 256)
_KERNELS = (11, 5, 3, 3, 3)


def alexnet_features(scale: int) -> nn.Sequential:
    """AlexNet without padding, max pooling before ReLU as in the release.

    Args:
        scale: factor on every width (2 in BIG, else 1).
    """
    layers: list[nn.Module] = []
    inputs = 3
    for number, (width, kernel) in enumerate(zip(WIDTHS, _KERNELS, strict=True)):
        layers.append(nn.Conv2d(inputs, width * scale, kernel, stride=2 if number == 0 else 1))
        layers.append(nn.BatchNorm2d(width * scale))
        if number < 2:
            layers.append(nn.MaxPool2d(3, stride=2))
        if number < len(WIDTHS) - 1:
            layers.append(nn.ReLU())
        inputs = width * scale
    return nn.Sequential(*layers)


class AlexNetSiamRpn(SiamRpnNetwork):
    """SiamRPN on AlexNet; images are BGR in 0..255, not normalised.

    Args:
        scale: factor on every width: 2 for BIG, 1 for VOT and OTB.
    """

    geometry = ALEXNET

    def __init__(self, scale: int = 1) -> None:
        super().__init__()
        width = WIDTHS[-1] * scale
        self.featureExtract = alexnet_features(scale)
        self.conv_r1 = nn.Conv2d(width, width * 4 * ANCHORS, 3)
        self.conv_r2 = nn.Conv2d(width, width, 3)
        self.conv_cls1 = nn.Conv2d(width, width * 2 * ANCHORS, 3)
        self.conv_cls2 = nn.Conv2d(width, width, 3)
        self.regress_adjust = nn.Conv2d(4 * ANCHORS, 4 * ANCHORS, 1)

    def trunk_parts(self) -> list[nn.Module]:
        """The five convolutions with what follows each, the last first."""
        parts: list[list[nn.Module]] = []
        for layer in self.featureExtract:
            if isinstance(layer, nn.Conv2d):
                parts.append([])
            parts[-1].append(layer)
        return [nn.Sequential(*part) for part in reversed(parts)]

    def kernels(self, features: Tensor) -> Template:
        """Turn phi of template crops (B, 3, 127, 127) into kernels of 4x4 cells."""
        return Template(self.conv_cls1(features), self.conv_r1(features), features)

    def features(self, image: Tensor) -> Tensor:
        """Phi of crops (B, 3, 87 + 8 n, 87 + 8 m)."""
        result: Tensor = self.featureExtract(image)
        return result

    def answer(self, template: Template, features: Tensor) -> Proposals:
        """Find the templates in features of search crops (B, 3, 127 + 8 n, 127 + 8 m)."""
        logits = full_correlation(
            self.conv_cls2(features), template.classification, outputs=2 * ANCHORS
        )
        deltas = self.regress_adjust(
            full_correlation(self.conv_r2(features), template.regression, outputs=4 * ANCHORS)
        )
        rows, columns = logits.shape[2:]
        return Proposals(
            logits.view(-1, 2, ANCHORS, rows, columns),
            deltas.view(-1, 4, ANCHORS, rows, columns),
            features,
        )
