"""Weights of right and of wrong labels while segmenters learn, as lines (Sec. 5.4, Fig. 4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from wsss.engine import run
from wsss.stages import Store, WeightTrace, read_trace
from wsss.tables.recorded import read_lines

COLUMNS = ["rng_seed", "epoch", "seeds", "right", "wrong", "accuracy", "identity"]


def trace_lines(traces: Iterable[WeightTrace], store: Store) -> pd.DataFrame:
    """List what traces saw.

    Parameters
    ----------
    traces : iterable of WeightTrace
        Traces that were computed.
    store : Store
        Where results lie.

    Returns
    -------
    pandas.DataFrame
        One line a trace and epoch: ``rng_seed``; ``epoch``, from 1; ``seeds``, how many label maps
        there are, whose weights sum to 1; ``right`` and ``wrong``, the mean weight of a label that
        is and is not the truth; ``accuracy``, the share of pixels predicted right. Then the origin:
        ``identity`` of the trace, ``seconds``, ``commit``, ``processor``, ``day``.
    """
    lines = []
    for trace in traces:
        origin = store.provenance(trace)
        for seen in read_trace(store, trace)["epochs"]:
            lines.append(
                {"rng_seed": trace.segmenter.rng_seed, "seeds": len(trace.segmenter.labels)}
                | seen
                | {"identity": trace.identity}
                | {key: origin[key] for key in ("seconds", "commit", "processor")}
                | {"day": origin["started"][:10]}
            )
    return pd.DataFrame(lines)


def reproduce_traces(
    traces: Sequence[WeightTrace], store: Store, recorded: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Compute the traces that are missing, and list all.

    Parameters
    ----------
    traces : sequence of WeightTrace
        What is wanted.
    store : Store
        Where results lie.
    recorded : pandas.DataFrame, optional
        As `read_recorded_traces` returns; stands in for what the store lacks.

    Returns
    -------
    pandas.DataFrame
        The lines of `trace_lines`, random seeds in order.
    """
    lacking = [trace for trace in traces if not store.done(trace)]
    known = pd.DataFrame(columns=COLUMNS) if recorded is None else recorded
    known = known[known["identity"].isin([trace.identity for trace in lacking])]
    run([trace for trace in lacking if trace.identity not in set(known["identity"])], store)
    here = trace_lines([trace for trace in traces if store.done(trace)], store)
    found = [lines for lines in (here, known) if not lines.empty] or [known]
    lines = pd.DataFrame(pd.concat(found))
    return lines.sort_values(by=["rng_seed", "epoch"], ignore_index=True)


def read_recorded_traces(folder: Path) -> pd.DataFrame:
    """Read ``traces.csv`` of a folder such as ``results/photo``.

    Parameters
    ----------
    folder : Path
        As ``scripts/record_traces.py`` fills it; one without the file holds no trace.

    Returns
    -------
    pandas.DataFrame
        The lines of `trace_lines`.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    path = folder / "traces.csv"
    if not path.is_file():
        return pd.DataFrame(columns=COLUMNS)
    return read_lines(path, COLUMNS)
