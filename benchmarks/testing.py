"""Testing at the paper's protocol, three scales with flip and a CRF: two threads against one.

    python benchmarks/testing.py [IMAGES]

Drawn photos of 500 x 375, by default 6, and VGG16-LargeFOV with random weights. Both ways end with
the same labels, to the last bit, or nothing is written. Wall time; wants two quiet cores.
"""

from __future__ import annotations

from ratio import summarise, write  # isort: skip

import sys
import time

import numpy as np
import torch
from photos import photo

from wsss.crf import PRESETS
from wsss.inference import SCALES, Protocol, infer_labels, label_map
from wsss.models import get_model


def main(count: int = 6) -> None:
    """Run the benchmark."""
    rng = np.random.default_rng(0)
    images = [np.asarray(photo(rng, 500, 375)) for _ in range(count)]
    torch.manual_seed(0)
    model = get_model("vgg16", head="largefov", num_classes=21).eval()
    protocol = Protocol(SCALES, flip=True, crf=PRESETS["vgg16_test"])

    def test(threads: int) -> tuple[float, dict[int, np.ndarray]]:
        started = time.perf_counter()
        every = infer_labels(model, images, protocol, threads=threads, batch_size=1)
        made = {i: after for i, _, after in every}
        return time.perf_counter() - started, made

    label_map(torch.zeros(21, 375, 500), images[0], protocol.crf)  # compiles it
    (one, labels), (two, same) = test(1), test(2)
    assert all(np.array_equal(labels[i], same[i]) for i in range(count))
    case = f"{count} photos of 500 x 375, three scales, flip and CRF, VGG16-LargeFOV, wall time"
    row = summarise(case, "s", [two], [one])
    write("testing", [row], ours="two threads", usual="one thread")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
