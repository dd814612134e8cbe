"""LargeFOV on small networks: a hidden layer of a large field of view (Sec. 5.2, not as there)."""

from __future__ import annotations

from torch import Tensor, nn

WIDTH = 256
DILATION = 6


class LargeFOVClassifier(nn.Conv2d):
    """A 1x1 classifier behind one hidden layer of a large field of view, all of it new.

    The hidden layer has the part of VGG16's fc6 (Sec. 5.2): 3x3, 256 channels, ReLU, dropout of
    0.5. Its dilation of 6 covers about the share of a 160-pixel crop that fc6's 12 covers of a
    321-pixel crop. No published weights hold it, so it belongs to the classifier, which learns ten
    times as fast as the trunk. Short trials with SqueezeNet (600 photos with masks, 5 epochs, one
    random seed each, mIoU on a third of val): 46.6 against 41.1 with a single 3x3 convolution
    instead; in another setting 46.2, against 42.2 where the hidden layer learnt as slowly as the
    trunk.

    Parameters
    ----------
    features
        Channels of the trunk's features.
    num_classes
        Channels of the logits.

    Examples
    --------
    >>> import torch
    >>> LargeFOVClassifier(512, 7)(torch.zeros(1, 512, 21, 21)).shape
    torch.Size([1, 7, 21, 21])
    """

    def __init__(self, features: int, num_classes: int) -> None:
        super().__init__(WIDTH, num_classes, 1)
        self.fov = nn.Conv2d(features, WIDTH, 3, padding=DILATION, dilation=DILATION)
        self.dropout = nn.Dropout(0.5)
        nn.init.kaiming_normal_(self.fov.weight, nonlinearity="relu")

    def forward(self, input: Tensor) -> Tensor:
        """Map features `input` ``(N, D, h, w)`` to logits ``(N, num_classes, h, w)``."""
        return super().forward(self.dropout(self.fov(input).relu()))
