"""What a notebook shows besides pictures: provenance, tables, differences, quality of seeds."""

from wsss.report.pages import left_out, provenance_line, recorded_line
from wsss.report.recorded import (
    by_class,
    join_segmenters,
    missing_cells,
    origins,
    read_seed_lines,
    seeds_and_segmenters,
    show_errors,
    show_longer,
    show_sizes,
    sum_up,
)
from wsss.report.seeds import each_seed_quality, quality, seed_quality
from wsss.report.tables import (
    count_signs,
    literature_table,
    paired_differences,
    shares_of,
    show_table,
)

__all__ = [
    "by_class",
    "count_signs",
    "each_seed_quality",
    "join_segmenters",
    "left_out",
    "literature_table",
    "missing_cells",
    "origins",
    "paired_differences",
    "provenance_line",
    "quality",
    "read_seed_lines",
    "recorded_line",
    "seed_quality",
    "seeds_and_segmenters",
    "shares_of",
    "show_errors",
    "show_longer",
    "show_sizes",
    "show_table",
    "sum_up",
]
