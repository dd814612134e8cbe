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
from wsss.errors import told_in_one_line
from wsss.files import atomic_write
from wsss.paper import PilotRecipe
from wsss.pipeline import Pipeline
from wsss.profiles import Profile, photo
from wsss.stages import Photos

# Images a class, crop, steps at least: a training ends with a whole epoch.
CHOICES = ((250, 161, 750), (250, 225, 375), (250, 161, 375), (150, 161, 750))


def variants() -> Iterator[tuple[dict[str, int], Profile]]:
    """Yield every choice and the profile it makes."""
    profile = photo()
    for per_class, crop, steps in CHOICES:
        subset = Subset("train", keep="train_official", per_class=per_class)
        augmentation = replace(profile.segmenter.augmentation, crop=crop)
        assert isinstance(profile.data.source, Photos)
        source = replace(profile.data.source, subset=subset)
        yield (
            {"per class": per_class, "crop": crop},
            replace(
                profile,
                data=replace(profile.data, source=source),
                pilot=replace(profile.pilot, schedule=replace(profile.pilot.schedule, steps=steps)),
                segmenter=replace(profile.segmenter, augmentation=augmentation),
            ),
        )


def main() -> None:
    """Train, score and write a line at a time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    lines = []
    for choice, profile in variants():
        lab = Pipeline(profile, args.data, compute="all")
        stage = lab.score(PilotRecipe(0.0), 0)
        lab.run([stage])
        score, origin = stage.read(lab.store), lab.store.provenance(stage.segmenter)
        images, schedule = len(stage.segmenter.images.load(lab.store).ids), stage.segmenter.schedule
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
