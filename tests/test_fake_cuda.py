"""A training step and inference on CUDA tensors that only pretend to be: no GPU is needed.

Fake tensors have a shape, a type and a device but no values. What mixes devices fails on them as it
would on a GPU, and what asks for a value, which makes the host wait for the GPU, is seen.
"""

from __future__ import annotations

import traceback
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

import wsss
from wsss.models import NETWORKS, Head, Network, get_model
from wsss.training.tasks import classifier_loss, segmenter_loss

PACKAGE = Path(wsss.__file__).parent
CLASSES, SEEDS, CROP = 5, 3, 65
HEADS: tuple[Head, ...] = ("cam", "largefov")
CASES = [
    (name, head)
    for name in NETWORKS
    for head in HEADS
    if not (name.startswith("resnet38") and head == "largefov")  # the paper has it for CAMs only
]
ONE_WIDTH = ("squeezenet1_1", "efficientnet_lite0")


class Waits(TorchDispatchMode):
    """Where code of the package lets the host wait for a pretended GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.places: list[str] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if self._waits(func, args, kwargs):
            self.places.append(_place())
        return func(*args, **kwargs)

    @staticmethod
    def _waits(func: Any, args: tuple, kwargs: dict[str, Any]) -> bool:
        name = func._schema.name
        if name == "aten::_local_scalar_dense":
            return args[0].device.type == "cuda"
        if name in ("aten::_to_copy", "aten::copy_"):
            tensors = [each for each in args if isinstance(each, Tensor)]
            devices = {each.device.type for each in tensors}
            if (target := kwargs.get("device")) is not None:
                devices.add(torch.device(target).type)
            return len(devices) > 1 and not kwargs.get("non_blocking")
        return name in ("aten::nonzero", "aten::equal", "aten::masked_select")


def _place() -> str:
    frames = traceback.extract_stack()
    ours = [each for each in frames if Path(each.filename).is_relative_to(PACKAGE)]
    if not ours:
        return "elsewhere"
    return f"{Path(ours[-1].filename).relative_to(PACKAGE).as_posix()}:{ours[-1].name}"


@contextmanager
def pretended_gpu() -> Iterator[Waits]:
    # Converters of what is already there are used too: constants of the package are real.
    with FakeTensorMode(allow_non_fake_inputs=True), Waits() as waits:
        yield waits


@contextmanager
def bfloat16(on: bool) -> Iterator[None]:
    """Compute as `torch.autocast` does, which asks for a real GPU."""
    torch.set_autocast_dtype("cuda", torch.bfloat16)
    torch.set_autocast_enabled("cuda", on)
    try:
        yield
    finally:
        torch.set_autocast_enabled("cuda", False)
        torch.set_autocast_dtype("cuda", torch.float16)
        torch.clear_autocast_cache()


def on_gpu(model: Network) -> Network:
    """Put pretended tensors of the same shapes and layouts in place of a network's."""
    for module in model.modules():
        for name, each in module.named_parameters(recurse=False):
            there = torch.empty_strided(each.shape, each.stride(), device="cuda")
            setattr(module, name, nn.Parameter(there, requires_grad=each.requires_grad))
        for name, each in module.named_buffers(recurse=False):
            setattr(module, name, torch.empty_like(each, device="cuda"))
    return model


def run_backward(loss: Tensor) -> None:
    """Fill the gradients of leaves as ``loss.backward()`` does, which asks a real GPU's driver."""
    root = loss.grad_fn
    assert root is not None
    order: dict[Any, None] = {}

    def visit(node: Any) -> None:
        if node not in order:
            for parent, _ in node.next_functions:
                if parent is not None:
                    visit(parent)
            order[node] = None

    visit(root)
    flows: dict[Any, dict[int, Tensor]] = defaultdict(dict)
    flows[root][0] = torch.ones_like(loss)
    for node in reversed(order):
        flow = flows.pop(node)
        if hasattr(node, "variable"):
            node.variable.grad = flow[0]
            continue
        run = getattr(node, "apply", node)  # a node in Python, say of Eq. 5, cannot be called
        results = run(*(flow.get(i) for i in range(max(flow) + 1)))
        results = results if isinstance(results, tuple) else (results,)
        for (parent, slot), result in zip(node.next_functions, results, strict=True):
            if parent is not None and result is not None:
                before = flows[parent].get(slot)
                flows[parent][slot] = result if before is None else before + result


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(("name", "head"), CASES)
def test_a_step_stays_on_the_gpu_and_waits_for_nothing(name, head, precision):
    classes = CLASSES + (head == "largefov")
    width = 1.0 if name in ONE_WIDTH else 1 / 4
    here = get_model(name, head=head, num_classes=classes, width=width)
    seen: list[torch.dtype] = []
    here.classifier.register_forward_hook(lambda _, inputs, output: seen.append(output.dtype))
    with pretended_gpu() as waits:
        model = on_gpu(here)
        images = torch.empty(2, CROP, CROP, 3, dtype=torch.uint8, device="cuda")
        waits.places.clear()
        with bfloat16(precision == "bfloat16"):
            if head == "cam":
                present = torch.ones(2, CLASSES, dtype=torch.bool, device="cuda")
                total, counted = classifier_loss(model, images, present)
            else:
                side = (CROP - 1) // model.output_stride + 1
                seeds = torch.empty(2, SEEDS, side, side, dtype=torch.uint8, device="cuda")
                total, counted = segmenter_loss(1.0)(model, images, seeds)
        mean = total / counted
        with torch.no_grad():
            run_backward(mean)
        gradients = [each.grad for each in model.parameters() if each.requires_grad]
    assert seen == [getattr(torch, precision)]
    assert total.device.type == "cuda"
    assert total.dtype == torch.float32
    assert all(each is not None and each.device.type == "cuda" for each in gradients)
    # Mean and deviation are sent once; only pretended tensors are not kept.
    assert set(waits.places) <= {"models/network.py:_on"}


def test_mixed_devices_are_found():
    with pretended_gpu(), pytest.raises(RuntimeError, match="device"):
        torch.zeros(2, device="cuda") + torch.zeros(2)


def test_waits_are_found():
    with pretended_gpu() as waits:
        value = torch.zeros(2, device="cuda")
        value.cpu()
        with pytest.raises((DataDependentOutputException, RuntimeError)):
            value.sum().item()
    assert len(waits.places) == 2
