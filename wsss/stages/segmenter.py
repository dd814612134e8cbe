"""Second half of the pipeline: the segmenter trained on K label maps (Sec. 4.5) and its score."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from wsss.data.affine import Augmentation
from wsss.data.packed import PackedArrays
from wsss.errors import InputError
from wsss.evaluation import score
from wsss.inference import Protocol, infer_logits, label_map
from wsss.losses import Unknown
from wsss.metrics import iou
from wsss.models.network import Network
from wsss.stages.classifier import NetworkSpec, read_network, train_network
from wsss.stages.images import Images, LoadedImages
from wsss.stages.seeds import Labels
from wsss.stages.stage import Stage
from wsss.tasks import segmenter_loss, segmenter_sample
from wsss.training import AfterEpoch, History, Schedule

if TYPE_CHECKING:
    from wsss.stages.store import Store


class Segmenter(Stage):
    """A segmenter trained on all its label maps at once (Eq. 5-7).

    Two segmenters that must come out the same are the same value: the labels are a sorted set,
    and with one label map sharpness and reading of unknown pixels, which then change nothing, are
    0 and "counted".
    """

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
        return tuple(sorted({source.identity: source for source in labels}.values(), key=_identity))

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

    def compute(self, folder: Path, store: Store) -> float:
        """Train it."""
        return self.train(folder, store).seconds_before

    def train(
        self,
        folder: Path,
        store: Store,
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
            len(data.ids),
            self.schedule,
            rng_seed=self.rng_seed,
            title=f"segmenter {self.network.name}, {len(self.labels)} seeds [{self.rng_seed}]",
            after_epoch=after_epoch,
            micro_batch=micro_batch,
            max_steps=max_steps,
        )

    def load(self, store: Store) -> Network:
        """Read the trained segmenter, in evaluation mode."""
        num_labels = len(self.images.load(store).classes) + 1
        return read_network(store.folder(self), self.network, "largefov", num_labels)


class SegmenterScore(Stage):
    """mIoU of a segmenter on a split.

    Attributes
    ----------
    protocol : Protocol
        How it is tested. With a CRF the score without it is kept too, since it comes along.
    """

    stage: Literal["segmenter_score"] = "segmenter_score"
    version: Literal[1] = 1
    segmenter: Segmenter
    images: Images
    protocol: Protocol = Protocol()

    def compute(self, folder: Path, store: Store) -> None:
        """Predict every image and compare."""
        data, masks = _with_masks(self.images, store)
        model, crf = self.segmenter.load(store), self.protocol.crf
        before, after = ([np.empty(0)] * len(data.ids) for _ in range(2))
        for i, logits in infer_logits(model, data.images, self.protocol):
            before[i] = after[i] = label_map(logits, data.images[i])
            if crf is not None:
                after[i] = label_map(logits, data.images[i], crf)
        record = _record(after, masks, data.classes)
        if crf is not None:
            record["before_crf"] = _record(before, masks, data.classes)
        _write_score(folder, record)


class LabelScore(Stage):
    """mIoU of label maps themselves, unknown pixels counted as wrong, where masks are known.

    Attributes
    ----------
    labels : Labels
        Of a whole split.
    images : Images
        Those of them, with masks, that are looked at: seeds made for the 10,582 images of train_aug
        are usually scored on VOC's own 1,464.
    """

    stage: Literal["label_score"] = "label_score"
    version: Literal[1] = 1
    labels: Labels
    images: Images

    def compute(self, folder: Path, store: Store) -> None:
        """Compare every label map."""
        data, masks = _with_masks(self.images, store)
        made = {name: i for i, name in enumerate(self.labels.images.load(store).ids)}
        if absent := [name for name in data.ids if name not in made]:
            raise InputError(
                f"split '{self.images.split}': {len(absent)} of its images have no label map, the "
                f"first is {absent[0]}; those were made for split '{self.labels.images.split}'"
            )
        maps = self.labels.label_maps(store)
        chosen = [maps[made[name]] for name in data.ids]
        _write_score(folder, _record(chosen, masks, data.classes))


def read_score(store: Store, stage: SegmenterScore | LabelScore) -> dict[str, Any]:
    """Read a score: ``miou`` and ``iou`` by class, both in percent, and ``confusion``.

    The confusion matrix is (L + 1, L + 1): rows truth, columns prediction, the last column unknown.
    After testing with a CRF there is ``before_crf``, the same three without it.
    """
    return json.loads((store.folder(stage) / "score.json").read_text())


def _record(
    maps: Sequence[np.ndarray], masks: PackedArrays, classes: tuple[str, ...]
) -> dict[str, Any]:
    names = ("background", *classes)
    confusion = score(maps, masks, len(names))
    percent = 100 * iou(confusion)[: len(names)]
    return {
        "miou": percent.nanmean().item(),
        "iou": dict(zip(names, percent.tolist(), strict=True)),
        "confusion": confusion.tolist(),
    }


def _write_score(folder: Path, record: dict[str, Any]) -> None:
    (folder / "score.json").write_text(json.dumps(record, indent=1) + "\n")


def _with_masks(images: Images, store: Store) -> tuple[LoadedImages, PackedArrays]:
    data = images.load(store)
    if data.masks is None:
        raise InputError(
            f"split '{images.split}' has no masks: training needs none, but scoring does"
        )
    return data, data.masks


def _identity(labels: Any) -> str:
    return labels.identity
