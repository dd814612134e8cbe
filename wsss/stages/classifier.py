"""Networks as values, and the classifier trained on image-level labels (Sec. 4.1, Eq. 1)."""

from __future__ import annotations

import json
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import torch

from wsss.data.affine import Augmentation
from wsss.errors import InputError
from wsss.models import NETWORKS, get_model, network_entry
from wsss.models.loading import write_state
from wsss.models.network import Head, Network
from wsss.models.weights import locate, weight_file
from wsss.stages.images import Images, LoadedImages
from wsss.stages.stage import Results, Spec, Stage
from wsss.training import (
    History,
    Loss,
    Sample,
    Schedule,
    fit,
    isolated_randomness,
    on_accelerator,
)
from wsss.training.precision import Precision
from wsss.training.tasks import classifier_loss, classifier_sample

TRAINED = ("model.pt", "history.json")
"""What `train_network` leaves in a folder."""
_look_once = cache(locate)  # once a process: to read a file of weights may take a second


class NetworkSpec(Spec):
    """A network by name, width and initial weights.

    Attributes
    ----------
    name : str
        A name that `wsss.models.get_model` knows.
    width : float
        Multiplies the number of channels.
    weights : {"imagenet", "shipped"} or None
        ImageNet weights, downloaded or from a package, the demo's from this package, or random.
    weights_checksum : str or None
        Of the weights' file, ``"sha256:..."`` or ``"md5:..."``, so that other weights are another
        result.

    Examples
    --------
    >>> NetworkSpec.imagenet("vgg16").random
    NetworkSpec(name='vgg16', width=1.0, weights=None, weights_checksum=None)
    """

    name: str
    width: float = 1.0
    weights: Literal["imagenet", "shipped"] | None = None
    weights_checksum: str | None = None

    @classmethod
    def shipped(cls, name: str) -> NetworkSpec:
        """Choose a network of the demo, with the initial weights that come with this package."""
        checksum = weight_file(name, "shipped").checksum
        return cls(name=name, weights="shipped", weights_checksum=checksum)

    @classmethod
    def imagenet(cls, name: str) -> NetworkSpec:
        """Choose a network with ImageNet weights, which need not be here yet."""
        known = [key for key, entry in NETWORKS.items() if entry.imagenet]
        if name not in known:
            raise InputError(f"no network {name!r} has ImageNet weights; {', '.join(known)} do")
        checksum = weight_file(NETWORKS[name].imagenet or name).checksum
        return cls(name=name, weights="imagenet", weights_checksum=checksum)

    @property
    def random(self) -> NetworkSpec:
        """The same network before any weights are read."""
        return NetworkSpec(name=self.name, width=self.width)

    def look_ahead(self) -> None:
        """Refuse a network that is unknown, or whose weights are not there or not whole."""
        entry = network_entry(self.name)
        if self.weights is not None:
            _look_once(self.name if self.weights == "shipped" else entry.imagenet or self.name)

    def build(self, head: Head, num_classes: int, rng_seed: int) -> Network:
        """Build the network; the random seed decides its new layers."""
        source = locate(self.name) if self.weights == "shipped" else self.weights
        with isolated_randomness(rng_seed):
            return get_model(
                self.name, head=head, num_classes=num_classes, weights=source, width=self.width
            )


def refuse_to_start(
    network: NetworkSpec, images: Images, schedule: Schedule, store: Results
) -> None:
    """Refuse a training without its weights, or of fewer images than a batch."""
    network.look_ahead()
    if (count := len(images.load(store).ids)) < schedule.batch_size:
        raise InputError(
            f"split '{images.split}': {count} images do not fill a batch of {schedule.batch_size}"
        )


def train_network(
    folder: Path,
    model: Network,
    loss: Loss,
    sample: Sample,
    images: LoadedImages,
    schedule: Schedule,
    **settings: Any,
) -> History:
    """Train in a stage's folder: checkpoint while training, weights and history at the end.

    `settings` are those of `wsss.training.fit`.
    """
    tried = settings.get("max_steps")  # a trial is not kept, and not slowed down by keeping it
    count, checkpoint = len(images.ids), None if tried else folder / "checkpoint.pt"
    history = fit(
        model, loss, sample, count, schedule, checkpoint=checkpoint, names=images.ids, **settings
    )
    write_state(model.state_dict(), folder / "model.pt")
    record = {"loss": history.loss, "initialisation": model.initialisation}
    (folder / "history.json").write_text(json.dumps(record, indent=2) + "\n")
    return history


def read_network(folder: Path, spec: NetworkSpec, head: Head) -> Network:
    """Read what `train_network` left in a folder, in evaluation mode, on an accelerator if any."""
    state = torch.load(folder / "model.pt", map_location="cpu", weights_only=True)
    num_classes = len(state["classifier.weight"])  # the folder needs nothing beside it
    model = spec.random.build(head, num_classes, rng_seed=0)  # all of it is overwritten
    model.load_state_dict(state)
    return on_accelerator(model.eval())


class Classifier(Stage):
    """A classifier trained on image-level labels alone (Eq. 1).

    Examples
    --------
    >>> from wsss import Lab
    >>> lab = Lab("demo")
    >>> first, second = (lab.classifier("plain", rng_seed) for rng_seed in (0, 1))
    >>> first.identity == second.identity
    False
    """

    on_gpu = True
    resumes_from = ("checkpoint.pt",)

    stage: Literal["classifier"] = "classifier"
    version: Literal[1] = 1
    images: Images
    network: NetworkSpec
    schedule: Schedule
    augmentation: Augmentation
    rng_seed: int

    @property
    def precision(self) -> Precision:
        """That of its schedule."""
        return self.schedule.precision

    def look_ahead(self, store: Results) -> None:
        """Refuse to start without weights, a batch of images or any label."""
        refuse_to_start(self.network, self.images, self.schedule, store)
        if not self.images.load(store).present.any():
            raise InputError(f"split '{self.images.split}': no image is labelled with any class")

    def compute(self, folder: Path, store: Results) -> float:
        """Train it."""
        return self.train(folder, store).seconds_before

    def train(
        self,
        folder: Path,
        store: Results,
        *,
        micro_batch: int | None = None,
        max_steps: int | None = None,
    ) -> History:
        """Train it in a folder; see `wsss.training.fit` for what is not in its identity."""
        data = self.images.load(store)
        model = self.network.build("cam", len(data.classes), self.rng_seed)
        sample = partial(
            classifier_sample,
            images=data.images,
            present=data.present,
            augmentation=self.augmentation,
            fill=model.normalisation.mean,
        )
        return train_network(
            folder,
            model,
            classifier_loss,
            sample,
            data,
            self.schedule,
            rng_seed=self.rng_seed,
            title=f"classifier {self.network.name} [{self.rng_seed}]",
            micro_batch=micro_batch,
            max_steps=max_steps,
        )

    def load(self, store: Results) -> Network:
        """Read the trained classifier, in evaluation mode."""
        return read_network(store.folder(self), self.network, "cam")
