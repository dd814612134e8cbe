"""The segmenter, trained on K label maps at once (Sec. 4.5)."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from wsss.data.affine import Augmentation
from wsss.losses import Unknown
from wsss.models.network import Network
from wsss.stages.classifier import (
    TRAINED,
    NetworkSpec,
    read_network,
    refuse_to_start,
    train_network,
)
from wsss.stages.images import Images
from wsss.stages.seeds import Labels
from wsss.stages.stage import Results, Stage
from wsss.training import AfterEpoch, History, Schedule
from wsss.training.precision import Precision
from wsss.training.tasks import segmenter_loss, segmenter_sample


class Segmenter(Stage):
    """A segmenter trained on all its label maps at once (Eq. 5-7).

    Two segmenters that must come out the same are the same value: the labels are a sorted set,
    and with one label map sharpness and reading of unknown pixels, which then change nothing, are
    0 and "counted".

    Examples
    --------
    >>> from wsss import Lab
    >>> lab = Lab("demo")
    >>> segmenter = lab.segmenter(lab.richest)
    >>> len(segmenter.labels), segmenter.sharpness, segmenter.network.name
    (12, 1.0, 'vgg16_scenes')
    """

    on_gpu = True
    resumes_from = ("checkpoint.pt",)

    stage: Literal["segmenter"] = "segmenter"
    version: Literal[1] = 1
    labels: tuple[Labels, ...]
    network: NetworkSpec
    schedule: Schedule
    augmentation: Augmentation
    sharpness: float = Field(1.0, ge=0, validate_default=True)
    unknown: Unknown = "counted"
    rng_seed: int

    @field_validator("labels")
    @classmethod
    def _sorted_set(cls, labels: tuple[Labels, ...]) -> tuple[Labels, ...]:
        if not labels:
            raise ValueError("a segmenter needs at least one source of labels")
        if len({source.images.identity for source in labels}) > 1:
            raise ValueError("all sources of labels must belong to the same images")
        found = {source.identity: source for source in labels}
        return tuple(found[identity] for identity in sorted(found))

    @field_validator("sharpness")
    @classmethod
    def _one_source_needs_no_sharpness(cls, sharpness: float, others: ValidationInfo) -> float:
        return 0.0 if len(others.data.get("labels", ())) == 1 else sharpness

    @field_validator("unknown")
    @classmethod
    def _one_source_needs_no_reading(cls, unknown: Unknown, others: ValidationInfo) -> Unknown:
        return "counted" if len(others.data.get("labels", ())) == 1 else unknown

    @property
    def images(self) -> Images:
        """The split it is trained on."""
        return self.labels[0].images

    @property
    def precision(self) -> Precision:
        """That of its schedule."""
        return self.schedule.precision

    def parents(self) -> list[Stage]:
        """Return the labels and the images."""
        return [*self.labels, self.images]

    def look_ahead(self, store: Results) -> None:
        """Refuse to start without weights or a batch of images."""
        refuse_to_start(self.network, self.images, self.schedule, store)

    @property
    def shares(self) -> str:
        """The training itself, with a `wsss.stages.WeightTrace` that looks at it."""
        return f"training {self.identity}"

    def compute(self, folder: Path, store: Results) -> float:
        """Train it."""
        return self.train(folder, store).seconds_before

    @classmethod
    def compute_together(
        cls, stages: Sequence[Any], folders: Sequence[Path], store: Results
    ) -> float:
        """Train once: what looks at the training trains, the segmenter takes its weights."""
        pairs = list(zip(stages, folders, strict=True))
        pairs.sort(key=lambda pair: isinstance(pair[0], Segmenter))
        looking, folder = pairs[0]
        seconds = looking.compute(folder, store) or 0.0
        for stage, other in pairs[1:]:
            if isinstance(stage, Segmenter):
                for name in TRAINED:
                    shutil.copyfile(folder / name, other / name)
            else:  # another look at the same training
                seconds += stage.compute(other, store) or 0.0
        return seconds

    def train(
        self,
        folder: Path,
        store: Results,
        *,
        after_epoch: AfterEpoch | None = None,
        micro_batch: int | None = None,
        max_steps: int | None = None,
    ) -> History:
        """Train it in a folder; see `wsss.training.fit` for what is not in its identity."""
        data = self.images.load(store)
        model = self.network.build("largefov", len(data.classes) + 1, self.rng_seed)
        sample = partial(
            segmenter_sample,
            images=data.images,
            seeds=[source.label_maps(store) for source in self.labels],
            augmentation=self.augmentation,
            fill=model.normalisation.mean,
            output_stride=model.output_stride,
        )
        return train_network(
            folder,
            model,
            segmenter_loss(self.sharpness, self.unknown),
            sample,
            data,
            self.schedule,
            rng_seed=self.rng_seed,
            title=f"segmenter {self.network.name}, {len(self.labels)} seeds [{self.rng_seed}]",
            after_epoch=after_epoch,
            micro_batch=micro_batch,
            max_steps=max_steps,
        )

    def load(self, store: Results) -> Network:
        """Read the trained segmenter, in evaluation mode."""
        return read_network(store.folder(self), self.network, "largefov")
