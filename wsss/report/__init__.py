"""What a notebook shows besides pictures: provenance, tables, differences, quality of seeds."""

from wsss.report.pages import left_out, provenance_line
from wsss.report.seeds import each_seed_quality, seed_quality
from wsss.report.tables import (
    count_signs,
    literature_table,
    paired_differences,
    shares_of,
    show_table,
)

__all__ = [
    "count_signs",
    "each_seed_quality",
    "left_out",
    "literature_table",
    "paired_differences",
    "provenance_line",
    "seed_quality",
    "shares_of",
    "show_table",
]
