"""How the weights of the seeds change while a segmenter learns (Sec. 4.5, Fig. 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from wsss.data.packed import PackedArrays
from wsss.files import atomic_write
from wsss.grid import feature_pixels
from wsss.inputs import batches_of_one_shape, network_input
from wsss.losses import seed_weights
from wsss.models.network import Network
from wsss.stages.segmenter import Segmenter
from wsss.stages.stage import Results, Stage
from wsss.training.precision import Precision

UNKNOWN = 255


class WeightTrace(Stage):
    """The training of a segmenter, looked at after every epoch.

    Where the segmenter is missing as well, one training serves both; else it is made once more.
    Training is deterministic, so on the same kind of machine the network goes through the states
    that the segmenter went through. After each epoch it predicts every whole training image in
    evaluation mode; the weights of Eq. 6 follow at the resolution of the features. The training
    itself sees the images augmented and cropped, and the network in training mode: its weights are
    like these, not these.

    Attributes
    ----------
    segmenter : Segmenter
        Whose training; its images need masks, which the training itself does not see.
    shown : int
        Of so many images, the first ones, the predictions and weights themselves are kept.

    Examples
    --------
    >>> from wsss import Lab
    >>> lab = Lab("demo")
    >>> trace = lab.trace(lab.richest)
    >>> trace.parents() == trace.segmenter.parents()
    True
    """

    on_gpu = True
    resumes_from = ("checkpoint.pt", "epoch_*.npz")

    stage: Literal["weight_trace"] = "weight_trace"
    version: Literal[1] = 1
    segmenter: Segmenter
    shown: int = 3

    @property
    def precision(self) -> Precision:
        """That of the training."""
        return self.segmenter.precision

    def parents(self) -> list[Stage]:
        """Return what the training reads; the segmenter itself need not have been trained."""
        return self.segmenter.parents()

    @property
    def shares(self) -> str:
        """The training, with the segmenter."""
        return self.segmenter.shares

    def figures(self, store: Results, testing: Any = None) -> dict[str, Any]:
        """Read what was seen after the last epoch, the last of its `lines`."""
        return self.lines(store)[-1]

    def lines(self, store: Results) -> list[dict[str, float]]:
        """Read what was seen, one dict an epoch.

        ``epoch``, from 1; ``right`` and ``wrong``, the mean weight of seed labels that are and are
        not the truth (unknown labels and pixels of unknown truth left out; nan if there are none);
        ``accuracy``, the share of pixels predicted right.
        """
        names = ("right", "wrong", "accuracy")
        return [
            {"epoch": number} | {name: float(seen[name]) for name in names}
            for number, seen in enumerate(self._epochs(store), start=1)
        ]

    def pictures(self, store: Results) -> list[dict[str, np.ndarray]]:
        """Read what was kept of each image that is shown.

        ``predictions`` (E, h, w) uint8 and ``weights`` (E, K, h, w) float16, seeds in the order of
        ``segmenter.labels``.
        """
        epochs = self._epochs(store)
        shown = [name for name in epochs[0] if name.startswith("weights_")]
        return [
            {
                "predictions": np.stack([seen[f"prediction_{i}"] for seen in epochs]),
                "weights": np.stack([seen[f"weights_{i}"] for seen in epochs]),
            }
            for i in range(len(shown))
        ]

    def _epochs(self, store: Results) -> list[dict[str, np.ndarray]]:
        epochs = []
        for file in sorted(store.folder(self).glob("epoch_*.npz")):
            with np.load(file) as found:
                epochs.append(dict(found))
        return epochs

    def _masks(self, store: Results) -> PackedArrays:
        needed = "they say which labels are right: trace a training on images with masks"
        return self.segmenter.images.masks(store, needed)

    def look_ahead(self, store: Results) -> None:
        """Refuse images without masks, and what the segmenter refuses."""
        self._masks(store)
        self.segmenter.look_ahead(store)

    def compute(self, folder: Path, store: Results) -> float:
        """Train, and write one file an epoch."""
        segmenter, data = self.segmenter, self.segmenter.images.load(store)
        masks = self._masks(store)
        look = partial(
            _look,
            images=data.images,
            seeds=[source.label_maps(store) for source in segmenter.labels],
            masks=masks,
            segmenter=segmenter,
            shown=self.shown,
        )
        keep = partial(_keep, look=look, folder=folder)  # not a closure: processes may be sent it
        return segmenter.train(folder, store, after_epoch=keep).seconds_before

    @classmethod
    def compute_together(
        cls, stages: Sequence[Any], folders: Sequence[Path], store: Results
    ) -> float:
        """Train once for it and for the segmenter."""
        return Segmenter.compute_together(stages, folders, store)


def at_features(label_map: np.ndarray, output_stride: int) -> np.ndarray:
    """Labels under the features of an image: those that the loss sees.

    Examples
    --------
    >>> at_features(np.arange(25).reshape(5, 5), 4)
    array([[ 0,  4],
           [20, 24]])
    """
    rows, columns = (feature_pixels(length, output_stride) for length in label_map.shape)
    return np.array(label_map[np.ix_(rows, columns)])


def _keep(epoch: int, model: Network, *, look: Callable[..., dict[str, Any]], folder: Path) -> None:
    """Write what is seen after an epoch; after a kill, its file is whole or absent."""
    path = folder / f"epoch_{epoch:04d}.npz"
    with atomic_write(path) as aside, aside.open("wb") as file:
        np.savez_compressed(file, **look(model))


@torch.inference_mode()
def _look(
    model: Network,
    images: PackedArrays,
    seeds: Sequence[PackedArrays],
    masks: PackedArrays,
    segmenter: Segmenter,
    shown: int,
) -> dict[str, Any]:
    """Weights and predictions over all images, summarised; those of the first ones as they are."""
    weight, labels = {True: 0.0, False: 0.0}, {True: 0, False: 0}
    hits = pixels = 0
    kept: dict[str, Any] = {}
    for indices, logits in _logits(model, images):
        stride = model.output_stride
        truth = torch.from_numpy(np.stack([at_features(masks[i], stride) for i in indices]))
        votes = torch.from_numpy(
            np.stack([[at_features(maps[i], stride) for maps in seeds] for i in indices])
        )
        weights = seed_weights(
            logits, votes, sharpness=segmenter.sharpness, unknown=segmenter.unknown
        )
        predicted = logits.argmax(1)
        counted = truth != UNKNOWN
        hits += int((predicted == truth)[counted].sum())
        pixels += int(counted.sum())
        known = (votes != UNKNOWN) & counted[:, None]
        for right in (True, False):
            chosen = known & ((votes == truth[:, None]) == right)
            weight[right] += weights[chosen].double().sum().item()
            labels[right] += int(chosen.sum())
        for n, i in enumerate(indices):
            if i < shown:
                kept[f"prediction_{i}"] = predicted[n].numpy().astype(np.uint8)
                kept[f"weights_{i}"] = weights[n].numpy().astype(np.float16)
    means = {
        name: weight[right] / labels[right] if labels[right] else np.nan
        for name, right in (("right", True), ("wrong", False))
    }
    return means | {"accuracy": hits / pixels if pixels else np.nan} | kept


def _logits(model: Network, images: PackedArrays) -> Iterator[tuple[list[int], Tensor]]:
    """Logits (N, L, h, w) of the features that lie on the images, for images of one size each."""
    model.eval()
    stride = model.output_stride
    for indices in batches_of_one_shape((image.shape for image in images), batch_size=16):
        height, width = images.shape(indices[0])[:2]
        batch = network_input(model, [images[i] for i in indices], 1.0)
        logits = model(batch).float().cpu()
        h, w = (len(feature_pixels(length, stride)) for length in (height, width))
        yield indices, logits[..., :h, :w]
