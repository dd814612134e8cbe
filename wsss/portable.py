"""A segmenter that stands alone: weights, classes, network, input size (not in the paper)."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from wsss.data.labels import require_classes
from wsss.data.pictures import shrink
from wsss.errors import InputError
from wsss.files import atomic_write, files_below, find_damage, seal, write_text
from wsss.inference import Protocol, infer_logits, predict
from wsss.inputs import require_image
from wsss.models import NETWORKS, Network, get_model
from wsss.models.loading import read_state_dict, write_state

WEIGHTS, ABOUT = "model.pt", "model.json"


@dataclass(frozen=True)
class SavedSegmenter:
    """A segmenter with all that its use needs.

    Attributes
    ----------
    network : Network
        In evaluation mode.
    classes : tuple of str
        Names of the labels 1 to C; 0 is background.
    longest_side : int or None
        To which photos are shrunk before the network sees them, as in its training.

    Examples
    --------
    >>> model = get_model("vgg16_scenes", head="largefov", num_classes=3)
    >>> photo = np.zeros((50, 100, 3), np.uint8)
    >>> SavedSegmenter(model, ("cat", "dog"), longest_side=64).predict([photo])[0].shape
    (50, 100)
    """

    network: Network
    classes: tuple[str, ...]
    longest_side: int | None

    def predict(
        self, images: Sequence[NDArray[np.uint8]], protocol: Protocol | None = None
    ) -> list[NDArray[np.uint8]]:
        """Label photos (H, W, 3) uint8 RGB of any size; label maps (H, W) have the same."""
        seen = [shrink(require_image(image), self.longest_side) for image in images]
        return [
            np.array(Image.fromarray(labels).resize(image.shape[1::-1], Image.Resampling.NEAREST))
            for image, labels in zip(images, predict(self.network, seen, protocol), strict=True)
        ]

    def probabilities(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return softmax probabilities (L, H, W) in [0, 1] of a photo (H, W, 3) uint8 RGB.

        L is one more than there are classes; the first is background. They are interpolated to the
        photo's size, and no CRF has seen them.
        """
        seen = shrink(require_image(image), self.longest_side)
        ((_, logits),) = infer_logits(self.network, [seen], Protocol())
        resized = interpolate(logits[None], image.shape[:2], mode="bilinear", align_corners=False)
        return resized[0].softmax(0).numpy()


def save_segmenter(
    network: Network, name: str, classes: Sequence[str], longest_side: int | None, folder: Path
) -> None:
    """Write a segmenter as a folder that `load_segmenter` reads.

    Parameters
    ----------
    network : Network
        With head "largefov".
    name : str
        Its name in `wsss.models.NETWORKS`, at width 1.
    classes, longest_side
        See `SavedSegmenter`.
    folder : Path
        Written anew.

    Examples
    --------
    >>> import tempfile
    >>> model = get_model("vgg16_scenes", head="largefov", num_classes=3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_segmenter(model, "vgg16_scenes", ("cat", "dog"), 320, Path(folder))
    ...     load_segmenter(folder).classes
    ('cat', 'dog')
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = {key: value.cpu() for key, value in network.state_dict().items()}
    write_state(state, folder / WEIGHTS)
    about = {"network": name, "classes": list(classes), "longest_side": longest_side}
    write_text(folder / ABOUT, json.dumps(about, indent=1) + "\n")
    others = {path.name for path in files_below(folder)} - {WEIGHTS, ABOUT}  # say, an export
    seal(folder, leave_out=others)


def load_segmenter(folder: str | Path) -> SavedSegmenter:
    """Read a segmenter that was saved; needs neither its photos nor the run folder.

    Parameters
    ----------
    folder : str or Path
        What `save_segmenter` wrote, or the folder of all that ``wsss train`` did.

    Raises
    ------
    InputError
        If the folder is none, was changed since, or names a network that there is not.

    Examples
    --------
    >>> load_segmenter("no-such-folder")
    Traceback (most recent call last):
    ...
    wsss.errors.InputError: no-such-folder: no saved segmenter; `wsss train` writes one to OUT/model
    """
    folder = Path(folder)
    if (folder / "model" / ABOUT).is_file():
        folder /= "model"
    if not (folder / ABOUT).is_file():
        raise InputError(f"{folder}: no saved segmenter; `wsss train` writes one to OUT/model")
    if damage := find_damage(folder, strange_too=False):
        raise InputError(f"{folder}: the segmenter is damaged, {damage}; train or copy it again")
    name, classes, longest_side = _read_about(folder / ABOUT)
    if name not in NETWORKS:
        raise InputError(f"{folder}: there is no network {name!r:.60} in this version")
    network = get_model(name, head="largefov", num_classes=len(classes) + 1)
    state = read_state_dict(folder / WEIGHTS)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:  # it lists every name that differs
        raise InputError(
            f"{folder / WEIGHTS}: no weights of a {name} of {len(classes)} classes, as {ABOUT} "
            "says; train or copy it again"
        ) from error
    return SavedSegmenter(network.eval(), classes, longest_side)


def _read_about(path: Path) -> tuple[str, tuple[str, ...], int | None]:
    """Read what `save_segmenter` wrote beside the weights, or another program did."""
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error})") from error
    match about:
        case {"network": str(name), "classes": [*names], "longest_side": None | int() as side} if (
            all(isinstance(each, str) for each in names)
            and (side is None or side > 0)
            and side is not True  # to Python a number, too
        ):
            require_classes(names, path)
            return name, tuple(names), side
    raise InputError(
        f"{path}: is to say network (a name), classes (names) and longest_side (pixels or null)"
    )


class _AtPixels(nn.Module):
    """From photos to logits at their pixels, in operators that ONNX has for any size of photo."""

    def __init__(self, network: Network):
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Take (N, H, W, 3) uint8 RGB, return (N, L, H, W) float32."""
        stride = self.network.output_stride
        seen = self.network.normalisation(images.permute(0, 3, 1, 2))
        height, width = seen.shape[2:]
        seen = pad(seen, (0, (1 - width) % stride, 0, (1 - height) % stride))
        maps = self.network(seen)
        rows = _hats(maps.shape[2], stride, height)
        return rows @ maps @ _hats(maps.shape[3], stride, width).transpose(0, 1)


def _hats(features: int, stride: int, pixels: int) -> Tensor:
    """Matrix (pixels, features) of `wsss.grid.to_pixels`; a padded input covers every pixel."""
    distance = (torch.arange(pixels)[:, None] / stride - torch.arange(features)).abs()
    return (1 - distance).clamp(min=0)


def export_onnx(saved: SavedSegmenter, path: str | Path) -> None:
    """Write a segmenter as one ONNX file, normalisation and interpolation to pixels inside.

    Its input ``images`` is (N, H, W, 3) uint8 RGB of any size, its output ``logits`` (N, L, H, W)
    float32; the metadata say ``classes`` (JSON) and ``longest_side``, to which photos are to be
    shrunk before, as `SavedSegmenter.predict` does.

    Raises
    ------
    InputError
        If the package onnx is not installed, a folder lies there, or the name ends in something
        else than ``.onnx``.

    Examples
    --------
    >>> import tempfile
    >>> model = get_model("vgg16_scenes", head="largefov", num_classes=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export_onnx(SavedSegmenter(model, ("cat",), None), Path(folder) / "cat.onnx")
    ...     [path.name for path in Path(folder).iterdir()]
    ['cat.onnx']
    """
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise InputError("ONNX files need the package onnx: pip install onnx") from error

    if Path(path).is_dir():
        raise InputError(
            f"{path}: a folder; name the file to write, say {Path(path, 'model.onnx')}"
        )
    if Path(path).suffix != ".onnx":  # nor is any other file replaced
        raise InputError(f"{path}: end its name in .onnx")
    example = torch.zeros(1, 66, 83, 3, dtype=torch.uint8)
    sizes = {"images": {0: "n", 1: "h", 2: "w"}, "logits": {0: "n", 2: "h", 3: "w"}}
    about = {"classes": json.dumps(saved.classes), "longest_side": str(saved.longest_side or "")}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as aside:
        with warnings.catch_warnings():
            # The tracing exporter is deprecated; the other one fixes the photo's size.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                _AtPixels(saved.network).eval(),
                (example,),
                str(aside),
                dynamo=False,
                input_names=["images"],
                output_names=["logits"],
                dynamic_axes=sizes,
            )
        model = onnx.load(aside)
        onnx.helper.set_model_props(model, about)
        onnx.checker.check_model(model)
        onnx.save(model, aside)
