"""Make the demo's initial weights, which play the part of ImageNet's: classify drawn objects.

    python scripts/make_initial_weights.py vgg16_scenes resnet38_scenes resnet101_scenes

Each network learns to tell 24 classes apart, one object an image, none of them a class of the demo
(other patterns, other hues). Only the trunk is kept, in half precision. Written are
``wsss/initial/NAME.pt``, a line of ``wsss/initial/SHA256SUMS`` and one of ``wsss/initial/made.csv``
(accuracy on objects it never saw, CPU seconds, versions). Another machine gives slightly other
weights, hence another checksum.
"""

from __future__ import annotations

import csv
import hashlib
import platform
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from wsss.data.affine import Augmentation, sample_image
from wsss.data.scene_look import PRETRAINING_CLASSES
from wsss.data.scenes import draw_object
from wsss.models import get_model
from wsss.models.network import Network
from wsss.models.weights import INITIAL
from wsss.training import Schedule, fit, isolated_randomness

IMAGES, HELD_OUT = 6000, 1000
SCHEDULE = Schedule(
    epochs=20, batch_size=32, lr=4e-3, head_multiplier=1.0, decay_every="step", optimizer="adamw",
    weight_decay=1e-2, warmup=0.1, clip_norm=1.0,
)  # fmt: skip
AUGMENTATION = Augmentation(crop=65, scales=(0.6, 1.4))
RNG_SEED = 7


def objects(split: int, count: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Draw `count` images (64, 64, 3) and their classes; scene i never depends on `count`."""
    drawn = [draw_object(np.random.default_rng([RNG_SEED, split, i])) for i in range(count)]
    return [image for image, _ in drawn], np.array([label for _, label in drawn])


def softmax_loss(model: Network, images: Tensor, labels: Tensor) -> tuple[Tensor, int]:
    """Sum the cross-entropy of the pooled class maps: exactly one class an image."""
    logits = model(model.normalisation(images.permute(0, 3, 1, 2))).mean((2, 3))
    return F.cross_entropy(logits, labels, reduction="sum"), len(images)


@torch.inference_mode()
def accuracy(model: Network, images: list[np.ndarray], labels: np.ndarray) -> float:
    """Share of images classified rightly."""
    batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    scores = torch.cat([model(model.normalisation(part)).mean((2, 3)) for part in batch.split(100)])
    return (scores.argmax(1).numpy() == labels).mean().item()


def make(name: str) -> None:
    """Train one network and write its trunk, its checksum and its record."""
    started = time.process_time()
    images, labels = objects(0, IMAGES)
    with isolated_randomness(RNG_SEED):
        model = get_model(name, head="cam", num_classes=len(PRETRAINING_CLASSES))

    def sample(index: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        affine = AUGMENTATION.draw(*images[index].shape[:2], rng)
        fill = model.normalisation.mean
        return sample_image(images[index], affine, AUGMENTATION.crop, fill), labels[index]

    fit(model, softmax_loss, sample, IMAGES, SCHEDULE, rng_seed=RNG_SEED, title=name)
    seconds = time.process_time() - started
    right = accuracy(model, *objects(1, HELD_OUT))
    path = INITIAL / f"{name}.pt"
    trunk = model.trunk.state_dict()
    torch.save({k: v.half() if v.is_floating_point() else v for k, v in trunk.items()}, path)
    record(
        name,
        {
            "accuracy": f"{right:.3f}",
            "cpu_seconds": f"{seconds:.0f}",
            "bytes": path.stat().st_size,
            "torch": torch.__version__.split("+")[0],
            "python": platform.python_version(),
        },
    )
    print(f"{path.name}: held-out accuracy {right:.3f}, {seconds:.0f} CPU s")


def record(name: str, row: dict) -> None:
    """Put the network's line into both tables, whatever the order in which networks are made."""
    table = INITIAL / "made.csv"
    rows = {r["name"]: r for r in csv.DictReader(table.open())} if table.is_file() else {}
    rows[name] = {"name": name, **row}
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["name", *row], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[key] for key in sorted(rows))
    sums = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(INITIAL.glob("*.pt"))
    ]
    (INITIAL / "SHA256SUMS").write_text("".join(sums))


if __name__ == "__main__":
    torch.set_num_threads(1)
    INITIAL.mkdir(exist_ok=True)
    for network in sys.argv[1:] or sys.exit(__doc__):
        make(network)
