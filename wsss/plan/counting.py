"""What the tables need, counted before anything runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd

from wsss.paper import TABLES
from wsss.pipeline import Pipeline
from wsss.plan.budget import costs_of, told
from wsss.plan.flops import Gpu, calculation, kind_of
from wsss.processes import cores as cores_here
from wsss.stages import Scenes, Stage, graph, together, wall_seconds

KINDS = {
    "classifiers": ("classifier",),
    "CAM sets": ("cams", "merged_cams"),
    "seed sets": ("seeds",),
    "trainings": ("segmenter",),
}

OWN_PHOTOS, OWN_HELD_OUT, OWN_STEPS = 288, 12, 400
"""Of the run of ``wsss train`` on two cores whose seconds `costs_of` gives."""
AFTERWARDS = 0.1
"""Seconds a photo, timed with them, once all stages are done: seeds, a mask, the report."""


def counts(stages: Sequence[Stage]) -> dict[str, int]:
    """Count the distinct classifiers, CAM sets, seed sets and trainings among some stages.

    For all tables and one random seed 2, 8, 16 and 30: the 42 cells share most of their work.

    Examples
    --------
    >>> lab = Pipeline("demo", rng_seeds=0)
    >>> counts(graph([lab.score(lab.richest)]))
    {'classifiers': 2, 'CAM sets': 6, 'seed sets': 12, 'trainings': 1}
    """
    found = Counter(stage.name for stage in stages)
    return {kind: sum(found[name] for name in names) for kind, names in KINDS.items()}


def plan(lab: Pipeline, gpu: Gpu | None = None, cores: int | None = None) -> str:
    """Describe what the tables need and how much of it is there.

    Parameters
    ----------
    lab : Pipeline
        Profile, data, results and random seeds.
    gpu : Gpu, optional
        What the calculation for networks that nobody has timed supposes.
    cores : int, optional
        How many work beside a GPU, by default those of this machine.

    Returns
    -------
    str
        Some lines of text. The estimate is of everything that the store lacks; if some of it is
        recorded, one of the rest stands before it.

    Examples
    --------
    >>> print(plan(Pipeline("demo", rng_seeds=0)))
    profile demo: ...
    """
    profile, store, several = lab.profile, lab.store, len(lab.rng_seeds) > 1
    wanted = lab.asked(*TABLES)
    stages = graph(each.stage for each in wanted)
    of_one = graph(each.stage for each in wanted if each.rng_seed == lab.rng_seeds[0])
    cells = sum(len(lab.cells(table)) for table in TABLES.values())
    lines = [
        f"profile {profile.name}: {profile.summary}",
        f"saliency: {lab.saliency}",
        f"random seeds: {len(lab.rng_seeds)}",
        "",
        f"{cells} cells of {len(TABLES)} tables come from",
    ]
    for (kind, count), each in zip(counts(stages).items(), counts(of_one).values(), strict=True):
        lines.append(f"  {count:4d} {kind}" + (f" ({each} a random seed)" if several else ""))
    missing = [stage for stage in stages if not store.done(stage)]
    lines += ["", f"{len(stages) - len(missing)} of {len(stages)} stages are in {store.runs}"]
    lines += ["", "graph (what is computed from what):", *edges(stages), ""]
    origins = {e.stage.identity: store.origin(e.stage, e.testing).state for e in wanted}
    if recorded := list(origins.values()).count("recorded"):
        left = [each.stage for each in wanted if origins[each.stage.identity] == "missing"]
        lines += [f"{recorded} of {len(origins)} scores are not there, but recorded"]
        if left:
            rest = graph(left, store.done)
            lines += [f"without them, {estimate(rest, profile.name)}"]
        lines += ["", "with them (wsss reproduce --compute all):"]
    lines += [estimate(missing, profile.name)]
    measured = set(costs_of(profile.name).index)
    untimed = [stage for stage in missing if kind_of(stage) not in measured]
    if untimed and not isinstance(lab.source, Scenes):
        lines += ["", *told(untimed, lab, cores or cores_here())]
    return "\n".join([*lines, *_calculated(calculation(untimed, lab, gpu), gpu or Gpu())])


def edges(stages: Sequence[Stage]) -> list[str]:
    """Draw the graph with the stages of one kind as one node, a line a node.

    Examples
    --------
    >>> edges(graph([Pipeline("demo").train_images]))
    ['     1 x scenes', '     1 x images <- scenes']
    """
    found = Counter(kind_of(stage) for stage in stages)
    parents: dict[str, set[str]] = {kind: set() for kind in found}
    for stage in stages:
        parents[kind_of(stage)] |= {kind_of(parent) for parent in stage.parents()}
    return [
        f"  {found[kind]:4d} x {kind}" + (f" <- {', '.join(sorted(of))}" if of else "")
        for kind, of in parents.items()
    ]


def estimate(stages: Sequence[Stage], profile: str) -> str:
    """Estimate time and disk of some stages from what stages of their kinds cost elsewhere.

    Parameters
    ----------
    stages : sequence of Stage
        What is still to be computed.
    profile : str
        Whose measurements count.

    Returns
    -------
    str
        One line. Kinds that nobody has measured at this profile are named, unless it is all.

    Examples
    --------
    >>> estimate([Pipeline("demo").train_images], "demo")
    'estimate for what is missing: 0 min of a core, ... MB'
    """
    costs = costs_of(profile)
    kinds = Counter(kind_of(stage) for stage in stages)
    unknown = sorted(kind for kind in kinds if kind not in costs.index)
    known = {kind: count for kind, count in kinds.items() if kind in costs.index}
    if kinds and not known:
        return "no estimate: nothing of what is missing was measured at this profile"
    seconds = sum(count * costs["seconds"][kind] for kind, count in known.items())
    megabytes = sum(count * costs["megabytes"][kind] for kind, count in known.items())
    line = f"estimate for what is missing: {seconds / 60:.0f} min of a core, {megabytes:.0f} MB"
    return line + (f"; not measured at this profile: {', '.join(unknown)}" if unknown else "")


def expected_seconds(
    stages: Sequence[Stage], *, photos: int, held_out: int, steps: int
) -> dict[str, float]:
    """Seconds of a core that stages on photos of one's own may take, by identity.

    Parameters
    ----------
    stages : sequence of Stage
        What is still to be computed; kinds that nobody has measured are left out.
    photos, held_out, steps : int
        How many are learnt from and tested on, and the optimiser's steps of a training, beside
        those of the run that was timed.

    Examples
    --------
    >>> expected_seconds([Scenes()], photos=60, held_out=20, steps=400)  # never timed there
    {}
    """
    seconds: dict[str, float] = costs_of("own")["seconds"].to_dict()
    trained = steps / OWN_STEPS
    tested = held_out / OWN_HELD_OUT
    sizes = {"classifier": trained, "segmenter": trained, "segmenter_score": tested}
    return {
        stage.identity: seconds[kind_of(stage)] * sizes.get(stage.name, photos / OWN_PHOTOS)
        for stage in stages
        if kind_of(stage) in seconds
    }


def tell_wait(
    missing: Sequence[Stage], expected: Mapping[str, float], *, photos: int, workers: int
) -> str:
    """Say how long a run on one's own photos may take, before it starts.

    Parameters
    ----------
    missing : sequence of Stage
        What is still to be computed, each after what it reads.
    expected : mapping
        As from `expected_seconds`; it takes "more than" that if a network's stage is not there.
    photos, workers : int
        How many get seeds and masks in the end, and how many processes compute.

    Examples
    --------
    >>> tell_wait([scenes := Scenes()], {scenes.identity: 600}, photos=0, workers=2)
    'takes about 10 min with 2 processes and no GPU'
    """
    seconds = wall_seconds(together(missing), expected, workers) + AFTERWARDS * photos
    known = (
        "about"
        if all(stage.identity in expected for stage in missing if stage.on_gpu)
        else "more than"
    )
    return f"takes {known} {max(seconds / 60, 1):.0f} min with {workers} processes and no GPU"


def _calculated(table: pd.DataFrame, gpu: Gpu) -> list[str]:
    if len(table) == 1:  # the sum of nothing
        return []
    return [
        "",
        f"a calculation, nothing was timed: networks at {gpu.share:.0%} of {gpu.tflops:g} TFLOP/s",
        *table.round({"PFLOP": 1, "hours": 2}).to_string(index=False).splitlines(),
        "not in it: CRF, thresholds, saliency, decoding and the drawing of samples",
    ]
