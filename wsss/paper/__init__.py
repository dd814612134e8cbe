"""The paper as data: its recipes, tables, claims and the works it compares with; needs no torch."""

from wsss.paper.claims import BOUNDS, CLAIMS, AnyRecipe, Claim, Comparison
from wsss.paper.literature import WORKS, Work
from wsss.paper.tables import (
    BESIDE,
    EVERYTHING,
    TABLES,
    TYPES,
    Cell,
    Part,
    PilotRecipe,
    Recipe,
    Scales,
    Table,
    Testing,
    get_table,
)

__all__ = [
    "BESIDE",
    "BOUNDS",
    "CLAIMS",
    "EVERYTHING",
    "TABLES",
    "TYPES",
    "WORKS",
    "AnyRecipe",
    "Cell",
    "Claim",
    "Comparison",
    "Part",
    "PilotRecipe",
    "Recipe",
    "Scales",
    "Table",
    "Testing",
    "Work",
    "get_table",
]
