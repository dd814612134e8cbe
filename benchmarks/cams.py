"""CAMs at three scales: one image at a time against batches of like shape (Sec. 4.1, 4.3).

python benchmarks/cams.py

The network and the sizes of the images are those of the profile ``photo``. Both start from decoded
images in memory and end with the same maps: float16, normalised, of the present classes.
"""

from __future__ import annotations

from ratio import Work, compare, write  # isort: skip

import time

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from wsss.cam import infer_cams, normalise_cams
from wsss.grid import padded_length, scaled_length
from wsss.models import get_model
from wsss.models.network import Network

SCALES = (1.0, 0.75, 0.5)
SIZES = [(240, 320)] * 5 + [(213, 320)] * 2 + [(320, 240)]
"""About as often as among VOC's photos cut to 320 pixels."""
CLASSES = 6
CLOSE = 2e-3
"""Largest difference of maps in [0, 1] that float16 and another order of sums may make."""

Maps = list[list[np.ndarray]]


def ours(model: Network, images: list[np.ndarray], present: np.ndarray) -> Maps:
    """Compute the maps of all images, a scale after the other."""
    return [infer_cams(model, images, present, scale=scale) for scale in SCALES]


@torch.inference_mode()
def usual(model: Network, images: list[np.ndarray], present: np.ndarray) -> Maps:
    """Resize each image to each scale, compute the maps of all classes, keep the present ones."""
    maps: Maps = [[] for _ in SCALES]
    for image, shown in zip(images, present, strict=True):
        pixels = model.normalisation(torch.from_numpy(image).permute(2, 0, 1)[None])
        for scale, found in zip(SCALES, maps, strict=True):
            height, width = (scaled_length(n, scale) for n in image.shape[:2])
            seen = F.interpolate(pixels, (height, width), mode="bilinear", align_corners=True)
            right, bottom = (padded_length(n, model.output_stride) - n for n in (width, height))
            features = model.trunk(F.pad(seen, (0, right, 0, bottom)))
            every = normalise_cams(F.conv2d(features, model.classifier.weight))
            found.append(every[0, torch.from_numpy(shown)].half().numpy())
    return maps


def network() -> Network:
    """SqueezeNet with ImageNet weights; its classifier is new, and any will do."""
    torch.manual_seed(0)
    return get_model("squeezenet1_1", head="cam", num_classes=CLASSES, weights="imagenet").eval()


def main() -> None:
    """Run the benchmark."""
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (*size, 3), np.uint8) for size in SIZES]
    present = np.eye(CLASSES, dtype=bool)[rng.integers(0, CLASSES, len(images))]
    fast, plain = network(), network()  # ours lays out the weights of its network anew
    for a, b in zip(ours(fast, images, present), usual(plain, images, present), strict=True):
        assert all(np.abs(x - y.astype(float)).max() < CLOSE for x, y in zip(a, b, strict=True))
    with FlopCounterMode(display=False) as counter:
        usual(plain, images, present)
    case = f"{len(images)} images of 320 pixels, three scales, SqueezeNet"
    ways = {
        "ours": lambda: ours(fast, images, present),
        "usual": lambda: usual(plain, images, present),
    }
    rows = [compare(case, **ways, work=Work(flops=counter.get_total_flops()))]
    torch.set_num_threads(2)
    wall = compare(f"{case}, two threads, wall time", **ways, clock=time.perf_counter, rounds=3)
    rows.append(wall)
    torch.set_num_threads(1)
    for count in (1, 2, 4, 8):
        chosen, shown = images[:1] * count, present[:1].repeat(count, 0)
        rows.append(
            compare(
                "images of one size",
                ours=lambda chosen=chosen, shown=shown: ours(fast, chosen, shown),
                grows="images",
                at=count,
            )
        )
    write(
        "cams",
        rows,
        ours="batches of like shape, channels last, present classes",
        usual="an image and a scale at a time, all classes",
    )


if __name__ == "__main__":
    main()
