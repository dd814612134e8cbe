"""The blocks of the how-to page, executed as they are written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from wsss.losses import reference_loss, weighted_selective_loss

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "book" / "how_to.md").read_text()
START, *SECTIONS = TEXT.split("\n## ")
BLOCKS = {section.partition("\n")[0]: section for section in SECTIONS}


def block(section: str) -> str:
    (code,) = re.findall(r"```python\n(.*?)```", section, re.S)
    return code


def run(title: str) -> dict:
    """Names that a section's block leaves, after the lines that all begin with."""
    torch.manual_seed(0)
    names: dict = {"__name__": "my_file"}
    for code in (block(START), block(BLOCKS[title])):
        exec(compile(code, title, "exec"), names)
    return names


def learns(model: torch.nn.Module) -> bool:
    gradients = [each.grad for each in model.parameters() if each.grad is not None]
    return bool(gradients) and all(each.isfinite().all() for each in gradients)


@pytest.mark.parametrize(
    ("title", "package"),
    [
        ("torchvision's DeepLabV3", "torchvision"),
        ("segmentation_models.pytorch", "segmentation_models_pytorch"),
        ("Hugging Face SegFormer", "transformers"),
    ],
)
def test_a_network_of_another_library_learns(title: str, package: str) -> None:
    pytest.importorskip(package)
    names = run(title)
    assert 0 < names["loss"].item() < 10
    assert learns(names["model"])


def test_segformer_is_resized_as_its_library_does_and_has_its_features_where_the_page_says() -> (
    None
):
    pytest.importorskip("transformers")
    names = run("Hugging Face SegFormer")
    model, images, seeds = (names[each] for each in ("model", "images", "seeds"))
    model.eval()
    with torch.no_grad():
        theirs = model(pixel_values=images, labels=seeds[:, 0])
        logits = F.interpolate(theirs.logits, seeds.shape[-2:], mode="bilinear")
    assert torch.allclose(weighted_selective_loss(logits, seeds[:, :1]), theirs.loss, atol=1e-5)
    assert theirs.logits.shape[-2:] == seeds[..., ::4, ::4].shape[-2:]
    first = model.segformer.get_submodule(
        next(name for name, each in model.segformer.named_modules() if is_strided(each))
    )
    assert first.stride == (4, 4)
    assert all(2 * p == k - 1 for p, k in zip(first.padding, first.kernel_size, strict=True))


def is_strided(module: torch.nn.Module) -> bool:
    return isinstance(module, torch.nn.Conv2d) and module.stride != (1, 1)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # its use of a part of torch that will go
@pytest.mark.filterwarnings("ignore:.*does not have many workers")
def test_lightning_trains() -> None:
    pytest.importorskip("lightning")
    names = run("Lightning")
    before = names["Segmenter"]().state_dict().keys()
    assert before == names["model"].state_dict().keys()
    assert names["trainer"].global_step == 1


def test_two_processes_have_the_gradient_of_the_whole_batch(tmp_path: Path) -> None:
    code = block(BLOCKS["DistributedDataParallel"])
    script, saved = tmp_path / "train.py", tmp_path / "saved.pt"
    script.write_text(
        f"{code}\nif rank == 0:\n    torch.save([model.module.state_dict(), images, seeds, "
        f"[p.grad for p in model.parameters()]], {str(saved)!r})\ndist.destroy_process_group()\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    done = subprocess.run(
        [*command, "--nproc-per-node", "2", str(script)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    state, images, seeds, found = torch.load(saved)

    def gradients(loss) -> list[torch.Tensor]:
        model = torch.nn.Conv2d(3, 21, 1)
        model.load_state_dict(state)
        loss(model).backward()
        return [each.grad for each in model.parameters()]

    whole = gradients(lambda model: reference_loss(model(images), seeds))
    for ours, expected in zip(found, whole, strict=True):
        assert torch.allclose(ours, expected, rtol=1e-6, atol=1e-7)
    obvious = gradients(
        lambda model: sum(
            reference_loss(model(images[rank::2]), seeds[rank::2]) for rank in range(2)
        ) / 2
    )  # fmt: skip
    assert (obvious[0] - whole[0]).norm() > 0.1 * whole[0].norm()
