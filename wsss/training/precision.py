"""In what arithmetic networks compute: float32, TF32 or bfloat16 (not in the paper)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

import torch

from wsss.errors import InputError

Precision = Literal["32-true", "tf32", "bf16-mixed"]
"""As a schedule has it: ``tf32`` rounds what convolutions on a GPU multiply to ten bits."""

PrecisionName = Literal["32", "tf32", "bf16"]
PRECISIONS: Mapping[PrecisionName, Precision] = {
    "32": "32-true",
    "tf32": "tf32",
    "bf16": "bf16-mixed",
}
"""As people ask for it."""

NAMES: Mapping[Precision, str] = {"32-true": "float32", "tf32": "TF32", "bf16-mixed": "bfloat16"}


def usual_precision() -> Precision:
    """Return what torch itself computes in where this process runs; no GPU is woken.

    Examples
    --------
    >>> usual_precision() == ("tf32" if torch.cuda.device_count() else "32-true")
    True
    """
    return "tf32" if torch.cuda.device_count() else "32-true"


def inference_precision(trained_in: Precision) -> Precision:
    """Return in what a network makes maps and is tested: of bfloat16, the usual for this device.

    Examples
    --------
    >>> inference_precision("32-true")
    '32-true'
    """
    return usual_precision() if trained_in == "bf16-mixed" else trained_in


def require_precision(precision: Precision) -> None:
    """Refuse what this process's device does not have.

    Raises
    ------
    InputError
        TF32 without an NVIDIA GPU from Ampere on, bfloat16 on an older one. A CPU has bfloat16,
        some in hardware.
    """
    on_gpu = torch.cuda.is_available()
    if precision == "32-true" or (precision == "bf16-mixed" and not on_gpu):
        return
    if not on_gpu:
        raise InputError(
            "precision tf32: no GPU is here, and nothing else computes in TF32; --precision 32 is "
            "what a CPU does"
        )
    if not torch.cuda.is_bf16_supported(including_emulation=False):  # they came together
        raise InputError(
            f"precision {NAMES[precision]}: {torch.cuda.get_device_name()} has none, which came "
            "with NVIDIA's Ampere; give --precision 32"
        )


@contextmanager
def arithmetic(precision: Precision) -> Iterator[None]:
    """Let networks compute so: with TF32 in convolutions, as is torch's default, or without.

    bfloat16 is Fabric's part; what is left in float32 beside it has TF32 on a GPU.

    Raises
    ------
    InputError
        See `require_precision`.

    Examples
    --------
    >>> with arithmetic("32-true"):
    ...     torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    (False, False)
    """
    require_precision(precision)
    before = bool(torch.backends.cudnn.allow_tf32), bool(torch.backends.cuda.matmul.allow_tf32)
    _allow_tf32(precision != "32-true", False)
    try:
        yield
    finally:
        _allow_tf32(*before)


def _allow_tf32(convolutions: bool, products: bool) -> None:
    torch.backends.cudnn.allow_tf32 = convolutions
    torch.backends.cuda.matmul.allow_tf32 = products
