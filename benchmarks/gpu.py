"""What the GPU of this machine does with the paper's networks: right or wrong, how fast, how busy.

python benchmarks/gpu.py [OUT] [--photos FOLDER] [--seconds 540] [--tiny]

Parts come in the order of their worth, each within a limit of its own, and a part that fails ends
alone. Every number is written to ``OUT/gpu.csv`` as soon as it is known. ``--photos`` names the
data folder of the profile `photo`; without it drawn pictures stand in, and Table 2 is left out.
``--tiny`` runs the same code small on any device, to try it.
"""

from __future__ import annotations

import argparse
import os

os.environ["TQDM_DISABLE"] = "1"  # read when tqdm is imported
for library in ("OMP", "MKL", "OPENBLAS", "NUMBA"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import csv
import signal
import subprocess
import tempfile
import time
import traceback
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from photos import label_map as drawn_labels
from photos import photo as drawn_photo
from PIL import Image
from torch import Tensor, nn

from wsss.cam import infer_cams
from wsss.crf import PRESETS
from wsss.data.affine import Augmentation
from wsss.data.packed import PackedArrays, pack
from wsss.inference import (
    SCALES,
    Protocol,
    average_views,
    infer_labels,
    infer_logits,
    label_map,
)
from wsss.inputs import network_input
from wsss.losses import count_votes, weighted_selective_loss
from wsss.models import Head, Network, get_model
from wsss.pipeline import Pipeline
from wsss.profiles import Profile, get_profile
from wsss.stages import NetworkSpec, Saliency, SeedBlock, graph, together
from wsss.stages.images import Photos
from wsss.stages.provenance import environment
from wsss.training import Schedule, fit, isolated_randomness
from wsss.training.precision import usual_precision
from wsss.training.tasks import classifier_loss, classifier_sample, segmenter_loss, segmenter_sample

RESULTS = Path(__file__).parents[1] / "results" / "gpu"
LABELS, SEEDS = 21, 12  # the paper's: VOC's labels, and its twelve seeds
STILL = 1e-30  # learning rate: random weights must not run away
SIDES = (500, 375)  # of most VOC photos
Case = tuple[str, Head, int]  # network, head, seeds
CASES: tuple[Case, ...] = (
    ("vgg16", "largefov", SEEDS),
    ("resnet101", "largefov", SEEDS),
    ("resnet38", "cam", 0),
    ("vgg16", "cam", 0),
)


@dataclass(frozen=True)
class Way:
    """How a network is trained: its arithmetic, layout in memory and cuDNN's choice of kernels."""

    precision: str = "tf32"
    layout: str = "as built"
    search: bool = False  # cuDNN's benchmark mode
    fused: bool = True  # the optimiser

    def __str__(self) -> str:
        """Words for the table."""
        others = "" if self.fused else ", optimiser not fused"
        return f"{self.precision}, {self.layout}{', cuDNN searches' * self.search}{others}"


WAYS = (
    Way("fp32"),
    Way("tf32"),
    Way("bf16"),
    Way("tf32", "channels last"),
    Way("bf16", "channels last"),
    Way("tf32", "channels last", search=True),
    Way("bf16", "channels last", search=True),
    Way("tf32", "channels first"),
)


class Bench:
    """Where numbers go, what they are measured on, and how much time is left."""

    def __init__(self, out: Path, photos: Path | None, *, tiny: bool, seconds: float) -> None:
        self.photos, self.tiny = photos, tiny
        self.on = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.gpu = self.on.type == "cuda"
        self.crop, self.batch = (65, 2) if tiny else (321, 16)
        self.started, self.deadline = time.perf_counter(), time.perf_counter() + seconds
        self.part = ""
        out.mkdir(parents=True, exist_ok=True)
        self._file = (out / "gpu.csv").open("w", newline="", buffering=1)
        self._csv = csv.writer(self._file)
        made = environment()
        self._origin = {
            "device": torch.cuda.get_device_name() if self.gpu else "cpu",
            "torch": torch.__version__,
            "commit": os.environ.get("WSSS_COMMIT", made["commit"]),
            "processor": made["processor"],
            "day": time.strftime("%Y-%m-%d"),
        }
        self._csv.writerow(["part", "case", "way", "value", "unit", *self._origin])

    @property
    def left(self) -> float:
        """Seconds until the end."""
        return self.deadline - time.perf_counter()

    def say(self, case: str, way: object, value: object, unit: str = "") -> None:
        """Write a number down, and print it."""
        shown = f"{value:.6g}" if isinstance(value, float) else str(value)
        self._csv.writerow([self.part, case, way, shown, unit, *self._origin.values()])
        self._file.flush()
        at = time.perf_counter() - self.started
        print(f"[{at:6.1f}] {self.part}: {case}, {way}: {shown} {unit}", flush=True)

    def wait(self) -> None:
        """Wait for the GPU."""
        if self.gpu:
            torch.cuda.synchronize()

    def clock(self, run: Callable[[], object], times: int = 1) -> float:
        """Seconds of one call, out of several in a row, after one to warm up."""
        run()
        self.wait()
        started = time.perf_counter()
        for _ in range(times):
            run()
        self.wait()
        return (time.perf_counter() - started) / times

    @contextmanager
    def guarded(self, part: str, limit: float) -> Iterator[None]:
        """Let a part fail alone, and end it after some seconds."""

        def stop(*_: object) -> None:
            raise TimeoutError(f"{part}: more than {limit:.0f} s")

        self.part, started = part, time.perf_counter()
        before = signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, limit)
        try:
            yield
        except Exception as error:  # whatever a part raises, the next one shall run
            traceback.print_exc()
            self.say("failed", "", " ".join(f"{type(error).__name__}: {error}".split())[:300])
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            torch.backends.cudnn.benchmark = torch.backends.cudnn.deterministic = False
            torch.set_num_threads(1)
            if self.gpu:
                torch.cuda.empty_cache()
            self.say("all of it", "", time.perf_counter() - started, "s")

    @contextmanager
    def alone(self, case: object, way: object = "") -> Iterator[None]:
        """Let one measurement of a part fail alone, say for lack of memory."""
        try:
            yield
        except TimeoutError:
            raise
        except Exception as error:  # as `guarded`
            traceback.print_exc()
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            self.say(f"failed, {case}", way, reason[:300])
            if self.gpu:
                torch.cuda.empty_cache()

    def images(self, count: int) -> list[np.ndarray]:
        """Photos of VOC's most frequent size, (375, 500, 3) or (500, 375, 3) uint8."""
        sides = (100, 75) if self.tiny else SIDES
        if self.photos is None:
            rng = np.random.default_rng(0)
            return [np.asarray(drawn_photo(rng, *sides)) for _ in range(count)]
        found = sorted(self.photos.glob("JPEGImages/*.jpg"))[:count]
        return [_resized(path, sides) for path in found]


def _resized(path: Path, sides: tuple[int, int]) -> np.ndarray:
    with Image.open(path) as image:
        long, short = sides
        wanted = (long, short) if image.width >= image.height else (short, long)
        return np.array(image.convert("RGB").resize(wanted, Image.Resampling.LANCZOS))


@contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """Allow convolutions and matrix products to round their factors to TF32, or forbid it."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def difference(found: Sequence[Tensor], true: Sequence[Tensor]) -> tuple[float, float]:
    """Norm of the difference by that of the truth, and its largest entry by the truth's largest."""
    a, b = (
        torch.cat([each.detach().double().cpu().flatten() for each in x]) for x in (found, true)
    )
    off, least = (a - b).abs(), torch.finfo(torch.float64).tiny
    return (off.norm() / b.norm().clamp(min=least)).item(), (
        off.max() / b.abs().max().clamp(min=least)
    ).item()


def build(case: Case, *, dropout: bool = True) -> Network:
    """Build a network with random weights and the paper's number of classes."""
    model = deepcopy(_built(*case[:2]))
    for module in () if dropout else model.modules():
        if isinstance(module, nn.Dropout | nn.Dropout2d):
            module.p = 0.0
    return model


@cache
def _built(name: str, head: Head) -> Network:
    with isolated_randomness(0):
        return get_model(name, head=head, num_classes=LABELS if head == "largefov" else LABELS - 1)


def loss_of(case: Case) -> Callable[..., tuple[Tensor, Tensor | int]]:
    """Return the loss of a case's head."""
    return segmenter_loss(1.0) if case[1] == "largefov" else classifier_loss


def batch_of(bench: Bench, case: Case, crop: int, size: int) -> tuple[Tensor, Tensor]:
    """Return images (N, crop, crop, 3) uint8 and seeds or image-level labels."""
    _, head, seeds = case
    rng, features = np.random.default_rng(0), (crop - 1) // 8 + 1
    shown = [Image.fromarray(image).resize((crop, crop)) for image in bench.images(size)]
    images = torch.from_numpy(np.stack([np.array(each) for each in shown]))
    if head == "cam":
        return images, torch.from_numpy(rng.random((size, LABELS - 1)) < 0.08)
    return images, _random_seeds(rng, size, seeds, features)


def _random_seeds(rng: np.random.Generator, size: int, seeds: int, features: int) -> Tensor:
    labels = rng.integers(0, LABELS, (size, seeds, features, features), dtype=np.uint8)
    labels[rng.random(labels.shape) < 0.2] = 255
    return torch.from_numpy(labels)


def named(case: Case) -> str:
    """Words for the table."""
    name, head, seeds = case
    return f"{name} {head}" + f", {seeds} seeds" * bool(seeds)


# The parts.


def machine(bench: Bench) -> None:
    """Say what this is measured on, and torch's own settings."""
    say = bench.say
    if bench.gpu:
        told = subprocess.run(
            ["nvidia-smi", "--query-gpu=driver_version,memory.total,clocks.max.sm,power.limit",
             "--format=csv,noheader"], capture_output=True, text=True, check=False,
        )  # fmt: skip
        say("driver, memory, clock, power", "", told.stdout.strip())
        say("cuda", "", torch.version.cuda)
    say("cudnn", "", torch.backends.cudnn.version())
    say("cores", "", os.cpu_count())
    for package in ("numpy", "numba"):
        say(package, "", version(package))
    say("default", "cudnn.allow_tf32", torch.backends.cudnn.allow_tf32)
    say("default", "cuda.matmul.allow_tf32", torch.backends.cuda.matmul.allow_tf32)
    say("default", "float32_matmul_precision", torch.get_float32_matmul_precision())
    say("default", "cudnn.benchmark", torch.backends.cudnn.benchmark)
    say("default", "cudnn.deterministic", torch.backends.cudnn.deterministic)


def loss(bench: Bench) -> None:
    """Compare loss and gradient with float64 on a CPU, and twelve seeds with cross-entropies."""
    rng, features = np.random.default_rng(1), (bench.crop - 1) // 8 + 1
    logits = torch.from_numpy(rng.normal(0, 3, (bench.batch, LABELS, features, features)))
    for seeds in (1, SEEDS):
        labels = _random_seeds(rng, bench.batch, seeds, features)
        for unknown in ("counted", "left_out"):
            run = partial(weighted_selective_loss, unknown=unknown)
            for dtype in (torch.float32, torch.bfloat16):
                seen = logits.to(dtype)  # to round the logits is not the loss's doing
                true, here = seen.double().requires_grad_(), seen.to(bench.on).requires_grad_()
                wanted, value = run(true, labels), run(here, labels.to(bench.on))
                wanted.backward()
                value.backward()
                assert true.grad is not None
                assert here.grad is not None
                case = f"{seeds} seeds, unknown {unknown}, {str(dtype).removeprefix('torch.')}"
                bench.say(case, "loss, relative error", difference([value], [wanted])[1])
                largest = difference([here.grad], [true.grad])[1]
                bench.say(case, "gradient, largest error", largest)
    here = logits.float().to(bench.on).requires_grad_()
    labels = _random_seeds(rng, bench.batch, SEEDS, features).to(bench.on)
    separate = [each.long().contiguous() for each in labels.unbind(1)]

    def ours(count: int) -> None:
        weighted_selective_loss(here, labels[:, :count]).backward()

    def usual(count: int) -> None:
        total = sum(F.cross_entropy(here, each, ignore_index=255) for each in separate[:count])
        total.backward()  # pyright: ignore[reportAttributeAccessIssue]

    times = 3 if bench.tiny else 200
    for count in (1, SEEDS):
        for way, run in (("weighted selective loss", ours), ("cross-entropies", usual)):
            took = bench.clock(partial(run, count), times)
            bench.say(f"{count} seeds, forward and backward", way, took * 1e3, "ms")
    for way, check in (("labels checked", True), ("labels not checked", False)):
        took = bench.clock(partial(count_votes, labels, LABELS, check=check), times)
        bench.say(f"{SEEDS} seeds, votes counted", way, took * 1e3, "ms")


def steps(bench: Bench) -> None:
    """Milliseconds a step and peak memory; the batch stays on the GPU."""
    runs: list[tuple[Case, Way]] = [
        (case, way) for case in (CASES[:1] if bench.tiny else CASES) for way in WAYS
    ]
    runs.append((("vgg16", "largefov", 1), Way()))
    apart = replace(WAYS[-2], fused=False)
    runs += [(case, apart) for case in (CASES[:1] if bench.tiny else CASES[:2])]
    for case, way in runs:
        with bench.alone(named(case), way):
            _steps(bench, case, way)


def _steps(bench: Bench, case: Case, way: Way, *, compiled: bool = False) -> None:
    """Time one network trained one way."""
    torch.backends.cudnn.benchmark = way.search
    model = build(case).to(bench.on).train()
    if way.layout != "as built":
        last = way.layout == "channels last"
        model.to(memory_format=torch.channels_last if last else torch.contiguous_format)
        if not last:  # images come channels last
            model.register_forward_pre_hook(lambda _, inputs: (inputs[0].contiguous(),))
    if compiled:
        model.compile()
    optimizer = Schedule(lr=STILL).make_optimizer(model)
    if not way.fused:
        optimizer = torch.optim.SGD(optimizer.param_groups, momentum=0.9, weight_decay=5e-4)
        for group in optimizer.param_groups:
            group["fused"] = None
    batch = [each.to(bench.on) for each in batch_of(bench, case, bench.crop, bench.batch)]
    task, times = loss_of(case), []
    count = 3 if bench.tiny else 5 if way.precision == "fp32" else 11
    if bench.gpu:
        torch.cuda.reset_peak_memory_stats()
    with tf32(way.precision != "fp32"):
        for _ in range(count):
            bench.wait()
            started = time.perf_counter()
            with autocast(bench, way.precision):
                total, counted = task(model, *batch)
            optimizer.zero_grad()
            (total / counted).backward()
            optimizer.step()
            bench.wait()
            times.append(time.perf_counter() - started)
    compilation = ", compiled" * compiled
    if compiled:
        bench.say(named(case), f"{way}, first step", times[0], "s")
    took = float(np.median(times[2:]))
    bench.say(named(case), f"{way}{compilation}", took * 1e3, "ms a step")
    if bench.gpu:
        peak = torch.cuda.max_memory_allocated() / 1e9
        bench.say(named(case), f"{way}{compilation}", peak, "GB at most")


def autocast(bench: Bench, precision: str) -> Any:
    """Compute in bfloat16 where `precision` says so."""
    return torch.autocast(bench.on.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def gradients(bench: Bench) -> None:
    """Gradients of whole networks on two crops, against float64 on the CPU."""
    for case in CASES[:1] if bench.tiny else CASES[:3]:
        batch, task = batch_of(bench, case, 65 if bench.tiny else 129, 2), loss_of(case)
        torch.set_num_threads(os.cpu_count() or 1)
        model = build(case, dropout=False).double()
        normal = model.normalisation
        model.normalisation = lambda images, normal=normal: normal(images).double()  # type: ignore
        total, counted = task(model, *batch)
        (total / counted).backward()
        true = [each.grad for each in model.parameters() if each.grad is not None]
        torch.set_num_threads(1)
        for precision in ("fp32", "tf32", "bf16"):
            model = build(case, dropout=False).to(bench.on)
            with tf32(precision != "fp32"):
                with autocast(bench, precision):
                    total, counted = task(model, *(each.to(bench.on) for each in batch))
                (total / counted).backward()
            found = [each.grad for each in model.parameters() if each.grad is not None]
            bench.say(named(case), f"{precision}, relative error", difference(found, true)[0])


def cams(bench: Bench) -> None:
    """CAMs as the package makes them: milliseconds an image at each scale."""
    images = bench.images(4 if bench.tiny else 24)
    present = np.zeros((len(images), LABELS - 1), bool)
    present[:, :2] = True
    for case in CASES[3:2:-1] if bench.tiny else CASES[3:1:-1]:
        model = build(case).to(bench.on)
        for scale in (1.0, 0.75, 0.5):
            for way, size in (("fp32", 4), ("tf32", 4), ("tf32", 16)):
                with tf32(way != "fp32"):
                    took = bench.clock(
                        partial(infer_cams, model, images, present, scale=scale, batch_size=size)
                    )
                took *= 1e3 / len(images)
                seen = f"{named(case)}, scale {scale:g}"
                bench.say(seen, f"{way}, {size} at once", took, "ms an image")


def testing(bench: Bench) -> None:
    """Label maps as the package makes them, and where the time goes."""
    images = bench.images(3 if bench.tiny else 12)
    protocols = {"single": Protocol(), "three scales and flip": Protocol(SCALES, flip=True)}
    for case in CASES[:1] if bench.tiny else CASES[:2]:
        model = build(case).to(bench.on)
        for name, protocol in protocols.items():
            if case[0] != "vgg16" and name == "single":
                continue
            for way in ("fp32", "tf32"):
                with tf32(way != "fp32"):
                    run = partial(_drain, infer_logits, model, images, protocol)
                    took = bench.clock(run) / len(images)
                bench.say(f"{named(case)}, {name}", f"{way}, logits", took * 1e3, "ms an image")
    _with_crf(bench, images, protocols["three scales and flip"])
    model, protocol = build(CASES[0]).to(bench.on).eval(), protocols["three scales and flip"]
    shape = images[0].shape
    average = partial(
        average_views, size=shape[:2], protocol=protocol, output_stride=model.output_stride
    )
    alike = [image for image in images if image.shape == shape][:4]
    asked = [(scale, flip) for flip in (False, True) for scale in protocol.scales]
    times = 1 if bench.tiny else 4
    with torch.inference_mode():
        inputs = {way: network_input(model, alike, *way) for way in asked}
        views = {way: model(inputs[way]).float() for way in asked}
        parts: dict[str, Callable[[], object]] = {
            "inputs made": lambda: [network_input(model, alike, *w) for w in asked],
            "network": lambda: [model(inputs[way]).float() for way in asked],
            "averaged on the CPU": lambda: average({w: maps.cpu() for w, maps in views.items()}),
            "averaged on the GPU, logits taken back": lambda: average(views).cpu(),
            "averaged on the GPU, labels taken back": lambda: average(views).argmax(1).byte().cpu(),
        }
        for name, run in parts.items():
            took = bench.clock(run, times) / len(alike)
            bench.say("vgg16 largefov, three scales and flip", name, took * 1e3, "ms an image")
        here = average({w: maps.cpu() for w, maps in views.items()})
        there = average(views).cpu()
        bench.say(
            "averaged on GPU and CPU", "largest difference", (here - there).abs().max().item()
        )
        flipped = (here.argmax(1) != there.argmax(1)).double().mean().item()
        bench.say("averaged on GPU and CPU", "share of labels that differ", flipped)


def _with_crf(bench: Bench, images: Sequence[np.ndarray], protocol: Protocol) -> None:
    model, crf = build(CASES[0]).to(bench.on), replace(protocol, crf=PRESETS["vgg16_test"])
    chosen = images if bench.tiny else list(images) * 4  # enough for every core
    for threads in (1, None):
        few = chosen if threads is None else images
        started = time.perf_counter()
        _drain(infer_labels, model, few, crf, threads=threads)
        took = (time.perf_counter() - started) / len(few)
        way = f"CRF on {threads or 'all'} threads"
        bench.say("vgg16 largefov, three scales and flip", way, took * 1e3, "ms an image")


def _drain(infer: Callable[..., Iterator[object]], *given: object, **how: object) -> None:
    for _ in infer(*given, **how):
        pass


def training(bench: Bench) -> None:
    """`fit` itself on packed photos: its step, and the share of it in which the GPU computes."""
    with tempfile.TemporaryDirectory() as name:
        photos, seeds = _packed(bench, Path(name))
        precisions = (usual_precision(), "bf16-mixed")
        runs = [(case, each) for case in CASES[:3] for each in precisions]
        for case, precision in runs[:1] if bench.tiny else runs:
            with bench.alone(named(case), precision):
                _training(bench, case, precision, photos, seeds)
        if bench.gpu:
            _host_waits(bench, photos, seeds)


def _packed(bench: Bench, folder: Path) -> tuple[PackedArrays, list[PackedArrays]]:
    count = 4 * bench.batch if bench.tiny else 480  # more than the processor's caches hold
    some, rng = bench.images(64), np.random.default_rng(0)
    images = pack(folder / "images", (some[i % len(some)] for i in range(count)))
    drawn = [
        [drawn_labels(rng, width, height) for height, width in (i.shape[:2] for i in some)]
        for _ in range(2)
    ]
    seeds = [
        pack(folder / f"seeds{k}", (drawn[k % 2][i % len(some)] for i in range(count)))
        for k in range(SEEDS)
    ]
    return images, seeds


def _sample(
    bench: Bench, case: Case, model: Network, photos: PackedArrays, seeds: list[PackedArrays]
) -> Callable[..., tuple[np.ndarray, ...]]:
    common = {
        "images": photos,
        "augmentation": Augmentation(bench.crop),
        "fill": model.normalisation.mean,
    }
    if case[1] == "cam":
        present = np.random.default_rng(0).random((len(photos), LABELS - 1)) < 0.08
        return partial(classifier_sample, present=present, **common)
    stride = model.output_stride
    return partial(segmenter_sample, seeds=seeds, output_stride=stride, **common)


def _training(
    bench: Bench, case: Case, precision: str, photos: PackedArrays, seeds: list[PackedArrays]
) -> None:
    from torch.profiler import ProfilerActivity, profile

    model = build(case)
    sample = _sample(bench, case, model, photos, seeds)
    schedule = Schedule(batch_size=bench.batch, precision=precision, lr=STILL)  # pyright: ignore
    train = partial(fit, model, loss_of(case), sample, len(photos), schedule, rng_seed=0)
    title = f"{named(case)}, {precision}"
    train(max_steps=1 if bench.tiny else 4)
    history = train(max_steps=2 if bench.tiny else 24)
    step = history.seconds / history.steps
    bench.say(title, "fit", step * 1e3, "ms a step")
    bench.say(title, "fit", bench.batch / step, "images a second")
    drawn = [partial(sample, i, np.random.default_rng(i)) for i in range(2 * bench.batch)]
    took = bench.clock(lambda: [draw() for draw in drawn]) / 2
    bench.say(title, "samples of a step drawn by one core", took * 1e3, "ms")
    if not bench.gpu:
        return
    events: list[Any] = []
    for activities in ([ProfilerActivity.CUDA], [ProfilerActivity.CPU, ProfilerActivity.CUDA]):
        with profile(activities=activities) as seen:
            history = train(max_steps=10)
        events = [each for each in seen.events() or () if each.device_type.name == "CUDA"]
        if events:
            break
    kernels: dict[str, float] = defaultdict(float)
    busy, until = 0.0, 0.0  # seconds in which some kernel or copy runs, and the end of the last one
    for event in sorted(events, key=lambda each: each.time_range.start):
        if event.name.startswith(("Optimizer.", "ProfilerStep", "## ")):
            continue  # spans that hold kernels
        start, end = event.time_range.start / 1e6, event.time_range.end / 1e6
        kernels[event.name] += end - start
        busy += max(0.0, end - max(start, until))
        until = max(until, end)
    bench.say(title, "GPU computes, under the profiler", busy / history.seconds, "of the time")
    bench.say(title, "GPU computes", busy / history.steps * 1e3, "ms a step")
    bench.say(title, "GPU computes, without the profiler", busy / history.steps / step, "of a step")
    for kernel in sorted(kernels, key=lambda each: -kernels[each])[:6]:
        took = kernels[kernel] / history.steps * 1e3
        bench.say(title, f"kernel {' '.join(kernel.split())[:90]}", took, "ms a step")


def _host_waits(bench: Bench, photos: PackedArrays, seeds: list[PackedArrays]) -> None:
    model = build(CASES[0])
    sample, schedule = _sample(bench, CASES[0], model, photos, seeds), Schedule(precision="tf32")
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            fit(model, loss_of(CASES[0]), sample, len(photos), schedule, rng_seed=0, max_steps=3)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    waits: dict[str, int] = defaultdict(int)
    for warning in seen:
        if "synchroniz" in str(warning.message):
            place = "/".join(Path(warning.filename).parts[-2:])
            waits[f"{place}:{warning.lineno}"] += 1
    for place, number in waits.items():
        bench.say("host waits of 3 steps", place, number)


def resuming(bench: Bench) -> None:
    """One training twice, and one stopped and resumed against one that is not."""
    side, count = (65, 8) if bench.tiny else (97, 64)
    small = [np.array(Image.fromarray(i).resize((160, 120))) for i in bench.images(count)]
    truth = [(image[..., 0] > image.mean()).astype(np.uint8) for image in small]
    spec = NetworkSpec(name="squeezenet1_1")
    if bench.photos is not None:
        spec = NetworkSpec.imagenet("squeezenet1_1")
    sample = partial(
        segmenter_sample, images=small, seeds=[truth, truth], augmentation=Augmentation(side),
        fill=(123.675, 116.28, 103.53), output_stride=8,
    )  # fmt: skip
    schedule = Schedule(
        epochs=2 if bench.tiny else 6, batch_size=4 if bench.tiny else 8, lr=2e-4,
        optimizer="adamw", decay_every="step", precision=usual_precision(),
    )  # fmt: skip
    half = schedule.epochs // 2 * (len(small) // schedule.batch_size)

    def train(
        checkpoint: Path | None = None, stops: Sequence[int | None] = (None,)
    ) -> tuple[list[Tensor], list[float]]:
        for stop in stops:
            model = spec.build("largefov", 2, 0)
            history = fit(
                model, segmenter_loss(1.0), sample, len(small), schedule, rng_seed=0,
                checkpoint=checkpoint, max_steps=stop,
            )  # fmt: skip
        return list(model.state_dict().values()), history.loss

    for way in ("as it is", "cudnn.deterministic"):
        torch.backends.cudnn.deterministic = way != "as it is"
        with tempfile.TemporaryDirectory() as name:
            whole, losses = train()
            for case, (weights, _) in {
                "the same again": train(),
                "resumed against whole": train(Path(name) / "checkpoint.pt", (half, None)),
            }.items():
                equal = all(torch.equal(a, b) for a, b in zip(weights, whole, strict=True))
                bench.say(case, f"{way}, equal to the bit", equal)
                bench.say(case, f"{way}, relative difference", difference(weights, whole)[0])
        bench.say("loss of each epoch", way, " ".join(f"{each:.5f}" for each in losses))


def processor(bench: Bench) -> None:
    """Run the CRF of the paper's tests on the CPU beside the GPU."""
    images, rng = bench.images(2 if bench.tiny else 32), np.random.default_rng(0)
    coarse = torch.from_numpy(rng.normal(0, 3, (LABELS, 12, 12)).astype(np.float32))
    logits = [
        F.interpolate(coarse[None], image.shape[:2], mode="bilinear")[0].contiguous()
        for image in images
    ]
    crf = PRESETS["vgg16_test"]
    took = time.perf_counter()
    label_map(logits[0], images[0], crf)
    bench.say("CRF", "the first image, with compilation", time.perf_counter() - took, "s")
    for threads in (1, 4, os.cpu_count() or 1):
        few = slice(2 if bench.tiny else 6 if threads == 1 else None)
        with ThreadPoolExecutor(threads) as pool:
            started = time.perf_counter()
            done = len(list(pool.map(partial(label_map, crf=crf), logits[few], images[few])))
        took = (time.perf_counter() - started) / done
        bench.say("CRF", f"{threads} threads", took * 1e3, "ms an image")


def table(bench: Bench) -> None:
    """Table 2 of the profile `photo`, the rows of the plain network, beside what a CPU recorded."""
    if bench.photos is None:
        bench.say("left out", "", "no --photos")
        return
    profile, photos = get_profile("photo"), bench.photos
    with tempfile.TemporaryDirectory() as name:
        if bench.tiny:
            photos = _few(photos, Path(name) / "data")
            profile = _short(profile)
        lab = Pipeline(
            profile, photos, rng_seeds=[0], runs=Path(name) / "runs", compute="all", workers=1,
            quiet=True,
        )  # fmt: skip
        same = lab.records.fingerprint == lab.source.fingerprint  # pyright: ignore
        bench.say("photos", "are those of the records", same)
        bench.say("arithmetic", "", "torch's default: TF32 in convolutions alone")
        asked = [each for each in lab.asked("table2") if each.cell.row == "VGG16"]
        for each in asked:
            for task in together(graph([each.stage], lab.store.done)):
                _ensure(bench, task, each.stage, lab)
            figures, column = lab.read(each.stage), each.cell.column
            scores = lab.records.scores
            place = {"table": "table2", "row": "VGG16", "column": column, "rng_seed": 0}
            for name, value in place.items():
                scores = scores[scores[name] == value]
            known = each.stage.in_float32().identity in set(scores["identity"])
            bench.say(column, "has the identity of the recorded one", known)
            bench.say(column, "here", float(figures["miou"]), "mIoU")
            for before in scores["miou"]:
                bench.say(column, "recorded on a CPU", float(before), "mIoU")
                bench.say(column, "difference", float(figures["miou"] - before), "mIoU")


def _ensure(bench: Bench, task: Sequence[Any], goal: Any, lab: Pipeline) -> None:
    """Compute a task; what is independent, image by image or block by block, on all cores."""
    started, stage = time.perf_counter(), task[0]
    if lab.store.done(stage):
        return
    if isinstance(stage, SeedBlock):
        blocks = together(graph([goal], lambda s: s.name != "seed_block" and lab.store.done(s)))
        same = [b for b in blocks if isinstance(b[0], SeedBlock) and b[0].rule == stage.rule]
        if bench.gpu:  # compile the CRF before threads ask for it
            image = np.zeros((16, 16, 3), np.uint8)
            label_map(torch.zeros(3, 16, 16), image, PRESETS["vgg16_test"])
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda block: lab.store.ensure_together(block), same))
    else:
        with _saliency_by_all_cores():
            lab.store.ensure_together(task)
    bench.say(f"stage {stage.name}", "", time.perf_counter() - started, "s")


@contextmanager
def _saliency_by_all_cores() -> Iterator[None]:
    """Make the same maps by several threads; one core would take minutes."""
    from wsss.saliency import U2NetP

    def computed(self: Saliency, store: Any) -> Iterator[np.ndarray]:
        method, images = self.border or U2NetP(), self.images.load(store).images

        def made(index: int) -> np.ndarray:
            return np.rint(method(images[index]) * 255).astype(np.uint8)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            yield from pool.map(made, range(len(images)))

    before, Saliency._computed = Saliency._computed, computed
    try:
        yield
    finally:
        Saliency._computed = before


def _short(profile: Profile) -> Profile:
    """Take two steps on small photos: its numbers mean nothing."""
    assert isinstance(profile.data.source, Photos)
    source = replace(profile.data.source, subset=None, longest_side=100)
    tasks = (profile.classifier, profile.segmenter)
    shorter = [replace(task, schedule=replace(task.schedule, steps=2)) for task in tasks]
    data = replace(profile.data, source=source)
    return replace(profile, data=data, classifier=shorter[0], segmenter=shorter[1])


def _few(photos: Path, folder: Path) -> Path:
    """Make a data folder of the first photos of another."""
    lists = folder / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    for part in photos.iterdir():
        if part.name != "ImageSets":
            (folder / part.name).symlink_to(part.resolve())
    for split in ("train", "val"):
        ids = (photos / "ImageSets" / "Segmentation" / f"{split}.txt").read_text().splitlines()
        (lists / f"{split}.txt").write_text("\n".join(ids[:: len(ids) // 10][:10]) + "\n")
    return folder


def compilation(bench: Bench) -> None:
    """Time a training step of VGG16 by `torch.compile`."""
    for way in (Way("bf16", "channels last"), Way("tf32", "channels last")):
        if bench.left > 60 or bench.tiny:
            _steps(bench, CASES[0], way, compiled=True)


PARTS: tuple[tuple[Callable[[Bench], None], float, float], ...] = (
    (machine, 20, 0),
    (loss, 40, 0),
    (steps, 150, 0),
    (gradients, 50, 0),
    (training, 70, 0),
    (testing, 50, 0),
    (cams, 40, 0),
    (resuming, 45, 0),
    (processor, 60, 0),
    (table, 400, 100),
    (compilation, 120, 45),
)
"""Each with its limit in seconds, and how many must be left for it to start."""


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", nargs="?", type=Path, default=RESULTS)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--seconds", type=float, default=540)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--only", nargs="*", default=())
    given = parser.parse_args()
    if not (given.tiny or torch.cuda.is_available()):
        print("gpu: no GPU here, nothing is measured; --tiny tries the script")
        return
    torch.set_num_threads(1)
    bench = Bench(given.out, given.photos, tiny=given.tiny, seconds=given.seconds)
    for part, limit, needs in PARTS:
        if given.only and part.__name__ not in given.only:
            continue
        if bench.left < needs:
            bench.part = part.__name__
            bench.say("left out", "", f"{bench.left:.0f} s are left")
            continue
        with bench.guarded(part.__name__, max(1, min(limit, bench.left))):
            part(bench)


if __name__ == "__main__":
    main()
