"""Training of classifiers and segmenters (Sec. 5.2); the only place that knows Lightning Fabric."""

from wsss.training.fitting import fit, on_accelerator
from wsss.training.loop import AfterEpoch, History, Loss, Sample, isolated_randomness
from wsss.training.schedule import Schedule

__all__ = [
    "AfterEpoch",
    "History",
    "Loss",
    "Sample",
    "Schedule",
    "fit",
    "isolated_randomness",
    "on_accelerator",
]
