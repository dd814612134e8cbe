"""Study what erodes CRF seeds on photos, and how well seeds teach (Sec. 4.2, profile photo).

    python scripts/study_photo_seeds.py DATA results/photo_seeds.csv [RUNS]

DATA is a folder of photos in the VOC layout with the splits train, train_official and val. The
classifiers are the profile's, trained on train; seeds are made of train_official, which has exact
masks. Settings were chosen with random seed 10 on every fourth image, and confirmed with random
seeds 0 and 1, each on images of its own. The segmenters, trained on all of train_official, are
short (300 steps on crops of 129 pixels), so their scores compare with one another alone.

Three kinds of lines, told apart by the column ``what``: "scores" (where CAM and saliency lie on the
true foreground), "seeds" (their quality) and "training" (mIoU on val). All shares in percent.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from wsss.crf import DenseCRF
from wsss.errors import told_in_one_line
from wsss.files import atomic_write
from wsss.metrics import iou, score
from wsss.pipeline import Pipeline
from wsss.profiles import ANIMALS, photo
from wsss.saliency import cam_background
from wsss.seeds import CrfSeed, SeedRule, ThresholdSeed
from wsss.stages import (
    Cams,
    Images,
    Labels,
    Photos,
    Saliency,
    Seeds,
    Segmenter,
    SegmenterScore,
    TrueLabels,
    default_runs,
    run,
)
from wsss.stages.provenance import commit

PHASES = {"choose": (10, 0), "confirm": (0, 1), "repeat": (1, 2)}
"""Random seed of the classifier, and first of every fourth image."""
PRESET = DenseCRF()
SCALED = DenseCRF(gaussian_sxy=2.0, bilateral_sxy=51.0)
RULES: dict[str, SeedRule] = {
    "T": ThresholdSeed(),
    "C, scores alone": CrfSeed(replace(PRESET, iterations=0)),
    "C, preset": CrfSeed(PRESET),
    "C, widths for 320 pixels": CrfSeed(SCALED),
    "C, compat 4": CrfSeed(replace(PRESET, bilateral_compat=4.0)),
    "C, parameters of irn": CrfSeed(replace(PRESET, bilateral_sxy=50.0, bilateral_srgb=5.0)),
    "C, parameters of MCIC": CrfSeed(DenseCRF(2.0, 2.0, 65.0, 3.0, 4.0, 5)),
    "C, floor 0.01": CrfSeed(PRESET, 0.01),
    "C, floor 0.1": CrfSeed(PRESET, 0.1),
    "C, widths and floor 0.1": CrfSeed(SCALED, 0.1),
}
OTHER_SALIENCY: dict[str, tuple[CrfSeed, Callable[[Tensor, Tensor], Tensor]]] = {
    "C, floor 0.1 under background too": (CrfSeed(PRESET, 0.1), lambda _, s: s.clamp(max=0.9)),
    "C, saliency stretched": (  # to [0, 1], as rembg does
        CrfSeed(PRESET),
        lambda _, s: (s - s.min()) / (s.max() - s.min()).clamp(min=1e-8),
    ),
    "C, no saliency": (CrfSeed(PRESET), lambda cam, _: cam_background(cam[None], 16)[0]),  # psa's
}
"""Rules, and what they get of CAM (C, H, W) and saliency (H, W) in the saliency's place."""
CONFIRMED = ("T", "C, scores alone", "C, preset", "C, widths and floor 0.1")
TRAINED = {
    "masks": ("masks",),
    "T": ("T",),
    "C, preset": ("C, preset",),
    "C, widths and floor 0.1": ("C, widths and floor 0.1",),
    "T + C, widths and floor 0.1": ("T", "C, widths and floor 0.1"),
}


def make_seed(name: str, image: np.ndarray, cam: Tensor, saliency: Tensor) -> np.ndarray:
    """Make the seed (H, W) of that name of an image (H, W, 3)."""
    rule, of = OTHER_SALIENCY.get(name) or (RULES[name], lambda _, s: s)
    return rule(image, [cam], of(cam, saliency))[0].numpy()


def quality(label_maps: Iterable[np.ndarray], masks: list[np.ndarray]) -> dict[str, float]:
    """Score seeds against masks."""
    confusion = score(list(label_maps), masks, 1 + len(ANIMALS))
    known = confusion.clone()
    known[:, -1] = 0
    counts = confusion.numpy().astype(float)
    foreground, right = counts[1:-1], np.trace(counts[1:-1, 1:-1])
    return {
        "miou": 100 * iou(confusion)[:-1].nanmean().item(),
        "miou_known": 100 * iou(known)[:-1].nanmean().item(),
        "precision": 100 * right / counts[:-1, 1:-1].sum(),
        "recall": 100 * right / foreground.sum(),
        "missed": 100 * foreground[:, 0].sum() / foreground.sum(),
        "unknown_foreground": 100 * foreground[:, -1].sum() / foreground.sum(),
        "coverage": 100 - 100 * counts[:, -1].sum() / counts.sum(),
    }


class Study:
    """The profile on photos whose seeds can be scored."""

    def __init__(self, data: Path, runs: Path) -> None:
        splits, profile = ("train", "train_official", "val"), photo()
        source = Photos(ANIMALS, splits=splits, longest_side=320)
        profile = replace(profile, data=replace(profile.data, source=source))
        self.pipeline = Pipeline(profile, data, runs=runs)
        self.store = self.pipeline.store
        self.images: Images = self.pipeline.images("train_official")
        self.saliency = Saliency.by_u2netp(self.images)

    def cams(self, rng_seed: int, scale: float) -> Cams:
        """Make the seeds' maps with a classifier trained on the split train."""
        classifier = self.pipeline.classifier("plain", rng_seed)
        return Cams(classifier=classifier, images=self.images, scale=scale)

    def quality_lines(self, phase: str) -> Iterator[dict]:
        """Where the scores lie on the foreground, and the quality of seeds made of them."""
        rng_seed, first = PHASES[phase]
        scales = self.pipeline.profile.cams.scales
        run(
            [self.cams(rng_seed, scale) for scale in scales] + [self.saliency],
            self.store,
            workers=1,
        )
        data, maps = self.images.load(self.store), self.saliency.load(self.store)
        assert data.masks is not None
        chosen = range(first, len(data.ids), 4)
        masks = [np.asarray(data.masks[i]) for i in chosen]
        saliency = [torch.from_numpy(maps[i].astype(np.float32) / 255) for i in chosen]
        foreground = [torch.from_numpy((mask > 0) & (mask < 255)) for mask in masks]
        for scale in scales:
            read = self.cams(rng_seed, scale).reader(self.store)
            cams = [read(i) for i in chosen]
            peaks = [cam.amax(0)[shown] for cam, shown in zip(cams, foreground, strict=True)]
            salient = [s[shown] for s, shown in zip(saliency, foreground, strict=True)]
            origin = {"phase": phase, "scale": scale, "rng_seed": rng_seed, "commit": commit()}
            yield {"what": "scores", **origin, **_shares(torch.cat(peaks), torch.cat(salient))}
            first_look = (phase, scale) == ("choose", scales[0])
            names = [*RULES, *OTHER_SALIENCY] if first_look else CONFIRMED
            for name in names:
                seeds = (
                    make_seed(name, data.images[i], cam, s)
                    for i, cam, s in zip(chosen, cams, saliency, strict=True)
                )
                yield {"what": "seeds", **origin, "labels": name, **quality(seeds, masks)}

    def labels(self, name: str, rng_seed: int) -> Labels:
        """Label maps of the whole split by their name."""
        if name == "masks":
            return TrueLabels(images=self.images)
        cams = self.cams(rng_seed, self.pipeline.profile.cams.scales[0])
        return Seeds(cams=cams, saliency=self.saliency, rule=RULES[name])

    def training_line(self, name: str, phase: str) -> dict:
        """Train a segmenter and score it on val."""
        rng_seed, profile = PHASES[phase][0], self.pipeline.profile
        segmenter = Segmenter(
            labels=tuple(self.labels(each, rng_seed) for each in TRAINED[name]),
            network=profile.segmenter.networks["plain"],
            schedule=replace(profile.segmenter.schedule, steps=300),
            augmentation=replace(profile.segmenter.augmentation, crop=129),
            sharpness=profile.weighting.sharpness,
            rng_seed=rng_seed,
        )
        stage = SegmenterScore(segmenter=segmenter, images=self.pipeline.images("val"))
        run([stage], self.store, workers=1)
        found, record = stage.read(self.store), self.store.provenance(segmenter)
        counts = np.array(found["confusion"], float)[1:-1]
        return {
            "what": "training",
            "phase": phase,
            "labels": name,
            "rng_seed": rng_seed,
            "miou": found["miou"],
            "missed": 100 * counts[:, 0].sum() / counts.sum(),
            **{f"iou {label}": value for label, value in found["iou"].items()},
            "identity": stage.identity[:20],
            "seconds": record["seconds"],
            "day": record["started"][:10],
            "commit": record["commit"],
        }


def _shares(cam: Tensor, saliency: Tensor) -> dict[str, float]:
    """Shares of the foreground by the largest CAM and the saliency of its pixels."""
    parts = {
        "cam_zero": cam == 0,
        "cam_below_0.1": cam < 0.1,
        "salient_below_0.06": saliency < 0.06,
        "salient_above_0.9": saliency > 0.9,
        "lost_by_saliency": (cam <= 1 - saliency) & (saliency < 0.5),
        "lost_by_cam": (cam <= 1 - saliency) & (saliency >= 0.5),
    }
    return {name: 100 * part.float().mean().item() for name, part in parts.items()}


def settings(name: str) -> str:
    """Write the parameters of CRF seeds as JSON."""
    rule = RULES.get(name)
    if not isinstance(rule, CrfSeed):
        return ""
    return json.dumps({**asdict(rule.crf), "cam_floor": rule.cam_floor})


def main(data: Path, record: Path, runs: Path) -> None:
    """Write all lines; trainings that are cached are read."""
    study = Study(data, runs)
    lines = [study.training_line(name, phase) for phase in PHASES for name in TRAINED]
    lines += [line for phase in PHASES for line in study.quality_lines(phase)]
    table = pd.DataFrame(lines)
    names = table["labels"].fillna("")
    table.insert(4, "settings", [settings(name.removeprefix("T + ")) for name in names])
    with atomic_write(record) as aside:
        table.round(2).to_csv(aside, index=False)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    torch.set_num_threads(1)
    folders = [Path(name) for name in sys.argv[1:]]
    with told_in_one_line():
        main(folders[0], folders[1], folders[2] if len(folders) == 3 else default_runs())
