"""How many photos, which crop, how many steps: the short study behind the profile ``photo``.

Every line of the CSV is one segmenter in VGG16's part, trained on the pilot's clean labels with one
random seed; seconds are those of the training on one core. Run with
``python scripts/study_photos.py --data DIR --out results/photo/study.csv``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd

from wsss.data.voc import Subset
from wsss.engine import default_runs
from wsss.errors import told_in_one_line
from wsss.files import atomic_write
from wsss.pipeline import PilotRecipe, Pipeline, Profile
from wsss.profiles import photo
from wsss.stages import PhotoFolder, Store, read_score

# Images a class, crop, steps at least: a training ends with a whole epoch.
CHOICES = ((250, 161, 750), (250, 225, 375), (250, 161, 375), (150, 161, 750))


def variants() -> Iterator[tuple[dict[str, int], Profile]]:
    """Yield every choice and the profile it makes."""
    profile = photo()
    for per_class, crop, steps in CHOICES:
        yield (
            {"per class": per_class, "crop": crop},
            replace(
                profile,
                source=lambda data, n=per_class: resized(profile.source(data), data, n),
                pilot_schedule=replace(profile.pilot_schedule, steps=steps),
                segmenter_augmentation=replace(profile.segmenter_augmentation, crop=crop),
            ),
        )


def resized(source: PhotoFolder, data: Path, per_class: int) -> PhotoFolder:
    """Describe the same folder with another number of images a class."""
    subset = Subset("train", keep="train_official", per_class=per_class)
    return PhotoFolder.at(
        data, source.classes, source.splits, longest_side=source.longest_side, subset=subset
    )


def main() -> None:
    """Train, score and write a line at a time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    store, lines = Store(default_runs(), args.data), []
    for choice, profile in variants():
        stage = Pipeline(profile, args.data).score(PilotRecipe(0.0), 0)
        store.ensure(stage)
        score, origin = read_score(store, stage), store.provenance(stage.segmenter)
        images, schedule = len(stage.segmenter.images.load(store).ids), stage.segmenter.schedule
        steps = images // schedule.batch_size  # of an epoch; an unfilled batch is left out
        epochs = schedule.epochs_of(steps)
        lines.append(
            {**choice, "images": images, "epochs": epochs, "steps": epochs * steps}
            | {"miou": round(score["miou"], 2)}
            | {f"iou {label}": round(value, 2) for label, value in score["iou"].items()}
            | {"seconds": origin["seconds"], "identity": stage.identity[:20]}
            | {"commit": origin["commit"], "day": origin["started"][:10]}
        )
        args.out.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(args.out) as aside:
            pd.DataFrame(lines).to_csv(aside, index=False)


if __name__ == "__main__":
    with told_in_one_line():
        main()
