"""Weights of right and of wrong labels while segmenters learn, as lines (Sec. 5.4, Fig. 4)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from wsss.stages import Store, WeightTrace, read_trace
from wsss.tables.recorded import read_lines

COLUMNS = ["rng_seed", "epoch", "seeds", "right", "wrong", "accuracy"]


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
