"""The shell that all networks share: a trunk and one new classifier (Sec. 4.1 and 5.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

Head = Literal["cam", "largefov"]


@dataclass(frozen=True)
class Normalisation:
    """How RGB pixels become a network's input: ``(x - mean) / std``, then the channel order.

    Mean and deviation are in R, G, B order, 0..255. `bgr` reverses the channels afterwards, for
    weights from Caffe; the wrong order costs accuracy without any error message.

    Examples
    --------
    >>> caffe = Normalisation(mean=(124.0, 117.0, 104.0), std=(1.0, 1.0, 1.0), bgr=True)
    >>> caffe(torch.tensor([125, 119, 107], dtype=torch.uint8).view(1, 3, 1, 1)).flatten().tolist()
    [3.0, 2.0, 1.0]
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    bgr: bool = False

    def __call__(self, images: Tensor) -> Tensor:
        """Normalise RGB `images` ``(N, 3, H, W)``, 0..255 of any dtype; float32 comes back."""
        mean, std = (_on(images.device, values) for values in (self.mean, self.std))
        normalised = (images.float() - mean) / std
        return normalised.flip(-3) if self.bgr else normalised


def _on(device: torch.device, values: tuple[float, ...]) -> Tensor:
    """Values of the channels (3, 1, 1) on a device, sent there once: a GPU waits for each copy."""
    if (values, device) in _SENT:
        return _SENT[values, device]
    with torch.inference_mode(mode=False):
        sent = torch.tensor(values, device=device).view(3, 1, 1)
    if type(sent) is Tensor:  # a pretended tensor lives no longer than who pretends
        _SENT[values, device] = sent
    return sent


_SENT: dict[tuple[tuple[float, ...], torch.device], Tensor] = {}

IMAGENET = Normalisation(mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))
"""The statistics torchvision's ImageNet weights were trained with (0.485, 0.229, ... times 255)."""

SCENES = Normalisation(mean=(127.5, 127.5, 127.5), std=(63.75, 63.75, 63.75))
"""The drawn scenes: ``(x / 255 - 0.5) * 4``. Not in the paper."""


class Network(nn.Module):
    """A trunk and a classifier that is applied at every position of its features.

    With head ``"cam"`` the logits are the class maps whose spatial mean is the image's score
    (Sec. 4.1; a bias and a 1x1 convolution commute with the mean). With head ``"largefov"`` they
    are the segmentation logits.

    The classifier is the only new layer, unless there are `hidden` ones: its weights are drawn from
    Normal(0, 0.01), its bias is 0 (Sec. 5.2 and the authors' related code), from torch's global
    generator, so that ``torch.manual_seed(rng_seed)`` fixes them.

    Parameters
    ----------
    trunk, hidden, classifier
        Normalised images ``(N, 3, H, W)`` to features ``(N, D, h, w)``, new layers on these (none
        by default), and the one that makes logits ``(N, num_classes, h, w)`` of them.
    output_stride
        Pixels from one feature to the next; feature i lies on pixel ``i * output_stride``, so that
        321 pixels make 41 features at stride 8.
    normalisation
        What the trunk expects of its input.
    freeze_batchnorm
        Keep BatchNorm's statistics, and do not train its gamma and beta. The paper is silent. The
        statistics are frozen in all the code of its first author (CIAN, MCIC) and in psa: high
        confidence. Gamma and beta are fixed in CIAN and psa and trained in MCIC: medium
        confidence. ``requires_grad_(True)`` on them gives MCIC's reading.

    Attributes
    ----------
    initialisation : str
        Where the trunk's weights came from, to be kept with every result.

    Examples
    --------
    >>> trunk = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8))
    >>> network = Network(trunk, nn.Conv2d(8, 5, 1), output_stride=2, normalisation=IMAGENET,
    ...                   freeze_batchnorm=True)
    >>> network(torch.zeros(1, 3, 6, 8)).shape
    torch.Size([1, 5, 3, 4])
    >>> network.train().trunk[1].training
    False
    >>> network.initialisation
    'random'
    """

    def __init__(
        self,
        trunk: nn.Module,
        classifier: nn.Conv2d,
        *,
        output_stride: int,
        normalisation: Normalisation,
        freeze_batchnorm: bool = False,
        hidden: nn.Sequential | None = None,
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.hidden = nn.Sequential() if hidden is None else hidden
        self.classifier = classifier
        self.output_stride = output_stride
        self.normalisation = normalisation
        self.freeze_batchnorm = freeze_batchnorm
        self.initialisation = "random"
        for layer in (*self.hidden, classifier):
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=0.01)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        if freeze_batchnorm:
            for norm in self._batchnorms():
                norm.requires_grad_(False)
        self.train()

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images ``(N, 3, H, W)`` to logits ``(N, num_classes, h, w)``."""
        return self.classifier(self.hidden(self.trunk(images)))

    def train(self, mode: bool = True) -> Network:
        """Switch to training, leaving frozen BatchNorm in evaluation; see `freeze_batchnorm`."""
        super().train(mode)
        if self.freeze_batchnorm:
            for norm in self._batchnorms():
                norm.eval()
        return self

    def _batchnorms(self) -> list[nn.BatchNorm2d]:
        return [module for module in self.modules() if isinstance(module, nn.BatchNorm2d)]


FOV_WIDTH = 256
FOV_DILATION = 6


class LargeFOVClassifier(nn.Conv2d):
    """A 1x1 classifier behind one hidden layer of a large field of view, all of it new.

    The hidden layer has the part of VGG16's fc6 (Sec. 5.2): 3x3, 256 channels, ReLU, dropout of
    0.5. Its dilation of 6 covers about the share of a 160-pixel crop that fc6's 12 covers of a
    321-pixel crop. No published weights hold it, so it belongs to the classifier, which learns ten
    times as fast as the trunk. Short trials with SqueezeNet (600 photos with masks, 5 epochs, one
    random seed each, mIoU on a third of val): 46.6 against 41.1 with a single 3x3 convolution
    instead; in another setting 46.2, against 42.2 where the hidden layer learnt as slowly as the
    trunk.

    Examples
    --------
    >>> import torch
    >>> LargeFOVClassifier(512, 7)(torch.zeros(1, 512, 21, 21)).shape
    torch.Size([1, 7, 21, 21])
    """

    def __init__(self, features: int, num_classes: int) -> None:
        super().__init__(FOV_WIDTH, num_classes, 1)
        self.fov = nn.Conv2d(features, FOV_WIDTH, 3, padding=FOV_DILATION, dilation=FOV_DILATION)
        self.dropout = nn.Dropout(0.5)
        nn.init.kaiming_normal_(self.fov.weight, nonlinearity="relu")

    def forward(self, input: Tensor) -> Tensor:
        """Map features `input` ``(N, D, h, w)`` to logits ``(N, num_classes, h, w)``."""
        return super().forward(self.dropout(self.fov(input).relu()))


def parameter_groups(model: Network) -> dict[str, list[nn.Parameter]]:
    """Split the trainable parameters into the trunk's and those of the new layers.

    Sec. 5.2: a new layer learns ten times as fast. Its bias belongs to the same group as its
    weight, and no bias has a rate of its own: so in the authors' related code (ICD, MCIC), unlike
    Caffe's habit of doubling it.

    Examples
    --------
    >>> network = Network(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 5, 1), output_stride=1,
    ...                   normalisation=IMAGENET)
    >>> {name: len(parameters) for name, parameters in parameter_groups(network).items()}
    {'pretrained': 2, 'new': 2}
    """
    new = (*model.hidden.parameters(), *model.classifier.parameters())
    groups = {"pretrained": model.trunk.parameters(), "new": new}
    return {name: [p for p in group if p.requires_grad] for name, group in groups.items()}


def initialise(trunk: nn.Module) -> None:
    """Draw a trunk's convolutions from Kaiming's normal distribution, in place, biases 0.

    The paper starts from ImageNet weights; this is only what stands there before they are loaded,
    and what a network without them learns from. BatchNorm keeps torch's gamma 1 and beta 0.
    """
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def scaled(channels: int, width: float) -> int:
    """Multiply a channel count by `width`, to the nearest multiple of 8, at least 8.

    Examples
    --------
    >>> [scaled(channels, 0.25) for channels in (8, 64, 80, 1024)]
    [8, 16, 24, 256]
    """
    return max(8, int(channels * width / 8 + 0.5) * 8)
