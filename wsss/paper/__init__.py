"""The paper as data: its recipes, tables, claims and the works it compares with; needs no torch."""

from wsss.paper.claims import BOUNDS, CLAIMS, AnyRecipe, Claim, Comparison
from wsss.paper.literature import WORKS, Work
from wsss.paper.recipes import Part, PilotRecipe, Recipe, Scales, Testing
from wsss.paper.tables import (
    BESIDE,
    BOTH,
    EVERYTHING,
    PLAIN,
    RESIDUAL,
    TABLES,
    TWO,
    TYPES,
    C,
    Cell,
    T,
    Table,
    get_table,
)

__all__ = [
    "BESIDE",
    "BOTH",
    "BOUNDS",
    "CLAIMS",
    "EVERYTHING",
    "PLAIN",
    "RESIDUAL",
    "TABLES",
    "TWO",
    "TYPES",
    "WORKS",
    "AnyRecipe",
    "C",
    "Cell",
    "Claim",
    "Comparison",
    "Part",
    "PilotRecipe",
    "Recipe",
    "Scales",
    "T",
    "Table",
    "Testing",
    "Work",
    "get_table",
]
