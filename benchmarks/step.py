"""A training step with twelve seeds against one with one seed, loading included (Sec. 4.5, 5.2).

python benchmarks/step.py

Here the usual way is ours too, with one seed: what Eq. 5 costs above plain cross-entropy. Network,
crop, batch and optimizer are those of the profile `photo`; a run is four steps of `fit`.
"""

from __future__ import annotations

import os

os.environ["TQDM_DISABLE"] = "1"  # read when tqdm is imported

from ratio import compare, write  # isort: skip

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from photos import label_map, photo

from wsss.data.packed import pack
from wsss.profiles import get_profile
from wsss.training import fit
from wsss.training.tasks import segmenter_loss, segmenter_sample

WIDTH, HEIGHT, STEPS, MOST_SEEDS = 320, 240, 4, 24


def main() -> None:
    """Run the benchmark."""
    torch.set_num_threads(1)
    profile, rng = get_profile("photo"), np.random.default_rng(0)
    training, sharpness = profile.segmenter, profile.weighting.sharpness
    network, batch = training.networks["plain"], training.schedule.batch_size
    schedule = replace(training.schedule, steps=STEPS)
    count = STEPS * batch
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = pack(
            folder / "images", (np.asarray(photo(rng, WIDTH, HEIGHT)) for _ in range(count))
        )
        seeds = [
            pack(folder / f"{k}", (label_map(rng, WIDTH, HEIGHT) for _ in range(count)))
            for k in range(MOST_SEEDS)
        ]

        def train(number: int) -> None:
            model = network.build("largefov", 7, 0)
            sample = partial(
                segmenter_sample,
                images=images,
                seeds=seeds[:number],
                augmentation=training.augmentation,
                fill=model.normalisation.mean,
                output_stride=model.output_stride,
            )
            fit(model, segmenter_loss(sharpness), sample, count, schedule, rng_seed=0)

        case = f"{STEPS} steps of {network.name}, crop {training.augmentation.crop}"
        rows = [
            compare(
                f"{case}, batch {batch}: 12 seeds / 1",
                ours=lambda: train(1),
                usual=lambda: train(12),
                rounds=9,
            )
        ]
        rows += [
            compare(case, ours=lambda k=k: train(k), rounds=2, grows="seeds", at=k)
            for k in (1, 6, 24)
        ]
    write("step", rows, ours="one seed (growth: that many)", usual="twelve seeds")


if __name__ == "__main__":
    main()
