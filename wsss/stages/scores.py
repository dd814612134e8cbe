"""Scores: of a segmenter on a split (Sec. 5.1), and of label maps themselves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from wsss.data.packed import PackedArrays
from wsss.errors import InputError
from wsss.inference import Protocol, infer_labels
from wsss.metrics import error_shares, iou, score
from wsss.paper import Testing
from wsss.progress import tell
from wsss.stages.images import Images
from wsss.stages.seeds import Labels
from wsss.stages.segmenter import Segmenter
from wsss.stages.stage import Results, Stage
from wsss.training.precision import Precision, inference_precision

UNKNOWN = 255


class SegmenterScore(Stage):
    """mIoU of a segmenter on a split.

    Attributes
    ----------
    protocol : Protocol
        How it is tested. With a CRF the score without it is kept too, since it comes along.

    Examples
    --------
    >>> from wsss import Lab
    >>> lab = Lab("demo")
    >>> lab.score(lab.richest).maker.name
    'segmenter'
    """

    on_gpu = True
    stage: Literal["segmenter_score"] = "segmenter_score"
    version: Literal[1] = 1
    segmenter: Segmenter
    images: Images
    protocol: Protocol = Protocol()

    @property
    def precision(self) -> Precision:
        """As the segmenter was trained; after bfloat16 the usual one."""
        return inference_precision(self.segmenter.precision)

    @property
    def maker(self) -> Segmenter:
        """The segmenter, as its training is what a score costs."""
        return self.segmenter

    def figures(self, store: Results, testing: Testing | None = None) -> dict[str, Any]:
        """Read mIoU, the IoU of every label and `wsss.metrics.error_shares`, all in percent."""
        score = self.read(store, testing)
        seen = torch.tensor(score["confusion"])[:-1, :-1]  # a segmenter leaves nothing unknown
        by_label = {f"iou {label}": value for label, value in score["iou"].items()}
        return {"miou": score["miou"]} | by_label | error_shares(seen)

    def read(self, store: Results, testing: Testing | None = None) -> dict[str, Any]:
        """Read the score that was computed.

        Parameters
        ----------
        store : Results
            Where results lie.
        testing : str, optional
            A way without a CRF takes what was measured before it.

        Returns
        -------
        dict
            ``miou`` and ``iou`` by class, both in percent, and ``confusion`` (L + 1, L + 1): rows
            truth, columns prediction, the last column unknown.
        """
        score = _read(store.folder(self))
        before = self.protocol.crf is not None and testing in ("single", "ms")
        return score["before_crf"] if before else score

    def look_ahead(self, store: Results) -> None:
        """Refuse masks that show nothing, and images that are learnt from under another name."""
        _refuse_empty(self.images, store)
        learnt = self.segmenter.images
        if learnt.split != self.images.split and store.done(learnt):
            held_out = self.images.load(store).ids
            if both := sorted(set(held_out) & set(learnt.load(store).ids)):
                raise InputError(
                    f"split '{self.images.split}': {len(both)} of its {len(held_out)} images are "
                    f"in '{learnt.split}' too, the first {both[0]}; take them out of one"
                )

    def compute(self, folder: Path, store: Results) -> None:
        """Predict every image and compare."""
        data, masks = self.images.load(store), _masks(self.images, store)
        model, crf = self.segmenter.load(store), self.protocol.crf
        before, after = ([np.empty(0)] * len(data.ids) for _ in range(2))
        every = infer_labels(model, data.images, self.protocol)
        for done, (i, without, whole) in enumerate(every):
            tell(done, len(data.ids))
            before[i], after[i] = without, whole
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

    Examples
    --------
    >>> from wsss import Lab
    >>> lab = Lab("demo")
    >>> score = lab.label_score(lab.seeds("T", lab.cams()[0]))
    >>> [parent.name for parent in score.parents()]
    ['seeds', 'images', 'images']
    """

    stage: Literal["label_score"] = "label_score"
    version: Literal[1] = 1
    labels: Labels
    images: Images

    def parents(self) -> list[Stage]:
        """Return the labels, their images and those that are looked at."""
        return [self.labels, self.labels.images, self.images]

    def figures(self, store: Results, testing: Testing | None = None) -> dict[str, Any]:
        """Read the quality of the label maps, in percent.

        ``mIoU`` with unknown counted as wrong; ``precision`` and ``recall`` of the foreground;
        ``missed``, the share of it that is called background; ``unknown``, that of all pixels.
        """
        score = self.read(store)
        confusion = np.array(score["confusion"], float)
        labelled = confusion[:-1, 1:-1].sum()  # every true label, called some foreground class
        foreground = confusion[1:-1]  # truly foreground, called anything
        right = np.trace(confusion[1:-1, 1:-1])
        return {
            "mIoU": score["miou"],
            "precision": 100 * right / labelled if labelled else np.nan,
            "recall": 100 * right / foreground.sum(),
            "missed": 100 * foreground[:, 0].sum() / foreground.sum(),
            "unknown": 100 * confusion[:, -1].sum() / confusion.sum(),
        }

    def read(self, store: Results) -> dict[str, Any]:
        """Read the score that was computed, as `SegmenterScore.read` does."""
        return _read(store.folder(self))

    def look_ahead(self, store: Results) -> None:
        """Refuse masks that show nothing, and images of which no label map is made."""
        _refuse_empty(self.images, store)
        self._places(store)

    def _places(self, store: Results) -> list[int]:
        """Which of the label maps are those of the images."""
        made = {name: i for i, name in enumerate(self.labels.images.load(store).ids)}
        ids = self.images.load(store).ids
        if absent := [name for name in ids if name not in made]:
            raise InputError(
                f"split '{self.images.split}': {len(absent)} of its images have no label map, the "
                f"first is {absent[0]}; those were made for split '{self.labels.images.split}'"
            )
        return [made[name] for name in ids]

    def compute(self, folder: Path, store: Results) -> None:
        """Compare every label map."""
        data, masks = self.images.load(store), _masks(self.images, store)
        maps = self.labels.label_maps(store)
        chosen = [maps[place] for place in self._places(store)]
        _write_score(folder, _record(chosen, masks, data.classes))


def _read(folder: Path) -> dict[str, Any]:
    """Read what `_write_score` wrote."""
    return json.loads((folder / "score.json").read_text())


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


def _refuse_empty(images: Images, store: Results) -> None:
    if not any(((mask > 0) & (mask < UNKNOWN)).any() for mask in _masks(images, store)):
        raise InputError(
            f"split '{images.split}': its masks hold 0 and {UNKNOWN} only, so nothing is scored; "
            "write the classes' indices where objects are"
        )


def _masks(images: Images, store: Results) -> PackedArrays:
    return images.masks(store, "training needs none, but scoring does")
