"""Start a training: in this process, or in several that work as one."""

from __future__ import annotations

import multiprocessing
import os
import re
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.multiprocessing.spawn import ProcessRaisedException
from torch.nn.modules.batchnorm import _BatchNorm

from wsss.errors import InputError
from wsss.models.loading import write_state
from wsss.models.network import Network
from wsss.training.loop import AfterEpoch, History, Loss, Sample, Work, train
from wsss.training.precision import require_precision
from wsss.training.schedule import Schedule

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def fit(
    model: Network,
    loss: Loss,
    sample: Sample,
    count: int,
    schedule: Schedule,
    *,
    rng_seed: int,
    checkpoint: str | Path | None = None,
    after_epoch: AfterEpoch | None = None,
    title: str = "training",
    micro_batch: int | None = None,
    processes: int | None = None,
    max_steps: int | None = None,
    names: Sequence[str] | None = None,
) -> History:
    """Train a network in place.

    Everything random in an epoch follows from (`rng_seed`, epoch) and, for a sample, its index: a
    training that is killed and started again ends with the same weights as one that is not, on
    one thread of a CPU.

    Parameters
    ----------
    model : Network
        Trained in place, and left in evaluation mode on the CPU.
    loss : callable
        ``loss(model, *batch) -> (total, counted)``: a sum and how many terms it has (images,
        labelled pixels). What is minimised is their quotient over the whole global batch.
    sample : callable
        ``sample(index, rng) -> arrays``: one augmented training sample; batches stack them.
    count : int
        Number of samples.
    schedule : Schedule
        How to train.
    rng_seed : int
        Random seed.
    checkpoint : str or Path, optional
        Written after every epoch; if it is there, training goes on from it.
    after_epoch : callable, optional
        ``after_epoch(epoch, model)`` is called with the number of epochs done, in one process.
    title : str
        Shown at the progress bar.
    micro_batch : int, optional
        Most samples that a process puts through the network at once, to save memory; by default
        the environment's WSSS_MICRO_BATCH, else all. The loss is the same; dropout draws other
        masks, as it does in several processes.
    processes : int, optional
        How many processes of this machine share each batch, each with an accelerator of its own
        where there are; by default the environment's WSSS_PROCESSES, else 1. With several,
        everything given here must be picklable.
    max_steps : int, optional
        Stop after so many steps; an epoch cut short is not kept in the checkpoint.
    names : sequence of str, optional
        Of the samples, to name those whose loss is not finite.

    Raises
    ------
    InputError
        If there are fewer samples than a batch holds, fewer in a batch or fewer GPUs (but any) than
        processes, if a network that needs whole batches shall see parts of them, if a number is not
        positive, if the checkpoint is of another network or optimiser, if the device lacks the
        precision, or if a loss is not finite: what the last whole epoch left stays.

    Examples
    --------
    >>> import numpy as np
    >>> from wsss.models import get_model
    >>> from wsss.training.tasks import classifier_loss
    >>> model = get_model("vgg16_scenes", head="cam", num_classes=2)
    >>> def sample(index, rng):
    ...     return rng.integers(256, size=(33, 33, 3), dtype=np.uint8), np.array([True, False])
    >>> schedule = Schedule(steps=2, batch_size=2, lr=1e-3)
    >>> fit(model, classifier_loss, sample, 4, schedule, rng_seed=0).steps
    2
    """
    from lightning_fabric import Fabric  # its import takes seconds that reading results never needs

    batch_size = schedule.batch_size
    micro_batch = min(batch_size, _positive(micro_batch, "WSSS_MICRO_BATCH") or batch_size)
    processes = _positive(processes, "WSSS_PROCESSES") or 1
    if count < batch_size:
        raise InputError(f"{title}: {count} samples do not fill a batch of {batch_size}")
    if processes > batch_size:
        raise InputError(f"{title}: {processes} processes cannot share a batch of {batch_size}")
    if processes > 1 and 0 < (gpus := torch.cuda.device_count()) < processes:
        raise InputError(f"{title}: {processes} processes need a GPU each, and there are {gpus}")
    if max_steps is not None and max_steps < 0:
        raise InputError(f"{title}: max_steps is {max_steps}; it is not negative")
    require_precision(schedule.precision)
    if processes > 1 or micro_batch < batch_size:
        _refuse_batch_statistics(model, title)
    if checkpoint is not None:
        checkpoint = Path(checkpoint)
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
    work = Work(
        loss=loss,
        sample=sample,
        count=count,
        schedule=schedule,
        rng_seed=rng_seed,
        checkpoint=checkpoint,
        after_epoch=after_epoch,
        title=title,
        micro_batch=micro_batch,
        max_steps=max_steps,
        names=names,
    )
    fabric = Fabric(
        accelerator="auto",
        devices=processes,
        strategy="auto" if processes == 1 else "ddp_spawn",
        precision="bf16-mixed" if schedule.precision == "bf16-mixed" else "32-true",
        plugins=[_this_machine()],
    )
    start = train if processes == 1 else _train_together
    history = start(fabric, model, work)
    model.to("cpu").eval()
    return history


def on_accelerator(model: Network) -> Network:
    """Put a network where trainings run: on an accelerator if there is one.

    Examples
    --------
    >>> from wsss.models import get_model
    >>> network = on_accelerator(get_model("vgg16_scenes", head="cam", num_classes=5))
    >>> network.classifier.weight.device.type in {"cpu", "cuda", "mps"}
    True
    """
    from lightning_fabric import Fabric

    return model.to(Fabric(accelerator="auto", devices=1, plugins=[_this_machine()]).device)


def _this_machine() -> Any:
    """Tell Fabric that the processes it starts are all there are.

    Under Slurm or torchrun it would take the tasks of the job for processes of one training, and
    refuse. Here tasks are trainings side by side, which know nothing of each other.
    """
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment

    return LightningEnvironment()


def _train_together(fabric: Fabric, model: Network, work: Work) -> History:
    """Start several processes that train as one, and take the weights over."""
    if multiprocessing.current_process().daemon:
        raise InputError(
            "WSSS_PROCESSES: a worker cannot start processes of its own; use --workers 1, "
            "or let every worker train a network of its own"
        )
    given = "MASTER_PORT" in os.environ
    try:
        with tempfile.TemporaryDirectory() as folder:
            weights = Path(folder) / "model.pt"
            # Only the model is an argument: Fabric would walk through all that the others hold.
            part = partial(
                _train_as_one, work=work, weights=weights, threads=torch.get_num_threads()
            )
            history = fabric.launch(part, model)  # pyright: ignore[reportArgumentType]
            model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    except ProcessRaisedException as error:  # torch passes on a traceback's text alone
        if told := re.findall(r"^wsss\.errors\.\w+: (.+)", str(error), re.MULTILINE):
            raise InputError(told[-1]) from error
        raise
    finally:
        if not given:  # Fabric leaves there a port that need not be free for the next training
            os.environ.pop("MASTER_PORT", None)
    return history


def _train_as_one(
    fabric: Fabric, model: Network, *, work: Work, weights: Path, threads: int
) -> History:
    torch.set_num_threads(threads)
    history = train(fabric, model, work)
    if fabric.is_global_zero:
        write_state(model.state_dict(), weights)
    return history


def _positive(number: int | None, variable: str) -> int | None:
    """Check an optional number; where it is not given, an environment variable may give it."""
    given = os.environ.get(variable) if number is None else str(number)
    if given and not (given.isdecimal() and int(given)):
        raise InputError(f"{variable}: '{given}' is not a whole number from 1 on")
    return int(given) if given else None


def _refuse_batch_statistics(model: Network, title: str) -> None:
    """Refuse what would train another network than the whole batch trains."""
    model.train()
    if any(isinstance(module, _BatchNorm) and module.training for module in model.modules()):
        raise InputError(
            f"{title}: this network's BatchNorm uses the statistics of the whole batch: train it "
            "in one process, without micro-batches (WSSS_PROCESSES, WSSS_MICRO_BATCH)"
        )
