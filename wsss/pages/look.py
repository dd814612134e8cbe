"""One photo through the front of the method, by ImageNet's own classes (not in the paper)."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np
import torch
from matplotlib.figure import Figure
from torchvision.models import SqueezeNet1_1_Weights

from wsss.cam import cam_at_pixels, infer_cams
from wsss.data.pictures import shrink
from wsss.errors import InputError
from wsss.inputs import network_input
from wsss.models import get_model
from wsss.models.loading import read_state_dict
from wsss.models.network import Network
from wsss.models.squeezenet import published_state
from wsss.models.weights import locate
from wsss.pages.style import (
    colour_labels,
    label_entries,
    legend,
    new_panels,
    overlay_cam,
    show,
)
from wsss.saliency import U2NetP
from wsss.seeds import crf_seed, threshold_seed

NETWORK, SIDE, SCALES = "squeezenet1_1", 500, (1.0, 0.75, 0.5)
NAMES: tuple[str, ...] = tuple(SqueezeNet1_1_Weights.IMAGENET1K_V1.meta["categories"])
"""ImageNet's thousand classes, as torchvision spells them."""


def look(photo: np.ndarray, classes: Sequence[str] = ()) -> Figure:
    """Show what an ImageNet classifier looks at in a photo, and the seeds made of it.

    Nothing is trained: the classifier is SqueezeNet 1.1 as published, its last layer included, the
    seeds are those of Sec. 4.2, and the saliency is U2-Net-p's.

    Parameters
    ----------
    photo : (H, W, 3) uint8
        RGB; shrunk to at most 500 pixels a side.
    classes : sequence of str
        Of ImageNet's thousand (`NAMES`), those that the photo shows. Without any, the
        classifier's first guess.

    Returns
    -------
    matplotlib.figure.Figure
        Photo and saliency, then a column for each scale (Sec. 4.3): CAM, threshold seed, CRF seed.

    Raises
    ------
    InputError
        If a class is unknown (the nearest are named), or a package with weights is not installed.
    """
    image = shrink(photo, SIDE)
    classifier = imagenet_classifier()
    indices = sorted({class_index(name) for name in classes}) or [_first_guess(classifier, image)]
    present = np.isin(np.arange(len(NAMES)), indices)
    pixels, salient = torch.from_numpy(image).permute(2, 0, 1)[None], U2NetP()(image)
    figure, axes = new_panels(3, 1 + len(SCALES), aspect=image.shape[0] / image.shape[1], room=0.3)
    show(axes[0, 0], image, "photo")
    show(axes[1, 0], np.repeat(salient[..., None], 3, 2), "saliency")
    seeds = []
    for scale, column in zip(SCALES, axes[:, 1:].T, strict=True):
        (maps,) = infer_cams(classifier, [image], present[None], scale=scale)
        cam = cam_at_pixels(
            maps,
            np.ones(len(indices), bool),
            (image.shape[0], image.shape[1]),
            scale=scale,
            output_stride=classifier.output_stride,
        )
        given = cam[None], torch.from_numpy(salient)[None]
        seeds += [threshold_seed(*given)[0].numpy(), crf_seed(pixels, *given)[0].numpy()]
        show(column[0], overlay_cam(image, cam.numpy()), f"CAM, scale {scale:g}")
        show(column[1], colour_labels(seeds[-2]), "threshold seed")
        show(column[2], colour_labels(seeds[-1]), "CRF seed")
    legend(figure, label_entries([NAMES[each] for each in indices], seeds, unknown=True))
    return figure


def imagenet_classifier(name: str = NETWORK) -> Network:
    """Build a network of the photo profile with ImageNet's own last layer.

    Parameters
    ----------
    name : {"squeezenet1_1", "efficientnet_lite0"}
        Both come inside packages.

    Returns
    -------
    Network
        In evaluation mode; its classes are `NAMES`.
    """
    network = get_model(name, head="cam", num_classes=len(NAMES), weights="imagenet")
    squeezenet, file = name == NETWORK, locate(name)
    published = published_state(file) if squeezenet else read_state_dict(file)
    layer = "classifier.1" if squeezenet else "_fc"
    last = {part: published[f"{layer}.{part}"] for part in ("weight", "bias")}
    shape = network.classifier.weight.shape  # a linear layer is a convolution of one pixel
    network.classifier.load_state_dict(last | {"weight": last["weight"].reshape(shape)})
    return network.eval()


def class_index(name: str) -> int:
    """Find a class by its name, capitals and spaces aside unless one is called exactly so."""
    if (exact := name.strip()) in NAMES:  # Cardigan is a dog, cardigan a coat
        return NAMES.index(exact)
    places = {known.casefold(): index for index, known in enumerate(NAMES)}
    wanted = exact.casefold()
    if wanted not in places:
        near = get_close_matches(wanted, places, n=5, cutoff=0.4)
        near += [known for known in places if wanted in known and known not in near][:5]
        hint = f"near it are {', '.join(near)}" if near else "torchvision lists their names"
        raise InputError(f"{name!r} is none of ImageNet's thousand classes; {hint}")
    return places[wanted]


@torch.inference_mode()
def _first_guess(classifier: Network, image: np.ndarray) -> int:
    scores = classifier(network_input(classifier, [image], 1))
    return int(scores.mean((2, 3)).argmax())
