"""The lab: the one object that people hold, in a notebook, a script or behind the command."""

from __future__ import annotations

import math
from functools import cached_property

from IPython.display import Markdown
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from wsss.pages import (
    pilot,
    predictions,
    provenance,
    seeds,
    tables,
    weights,
)
from wsss.pages.claims import (
    ClaimResult,
    answer_claim,
    claim_numbers,
    count_verdicts,
    judge_claims,
    median_spread,
    show_comparisons,
    show_verdicts,
)
from wsss.pages.forest import forest_plot
from wsss.paper import TABLES
from wsss.pipeline import Pipeline


class Lab(Pipeline):
    """A profile, its data, its results and its random seeds; what a page shows is a method.

    Takes what `wsss.pipeline.Pipeline` takes. Each method computes what it shows and is missing,
    and nothing twice.

    Examples
    --------
    >>> lab = Lab("demo", rng_seeds=[0])
    >>> len(lab.asked("table5")), len(lab.segmenter(lab.richest).labels)
    (6, 12)
    """

    # Figures of the paper, and more of their kind.
    figure1 = seeds.figure1
    figure2 = pilot.figure2
    figure4 = weights.figure4
    figure5 = predictions.figure5
    figure_lines = pilot.figure_lines
    figure_networks = seeds.figure_networks
    figure_scales = seeds.figure_scales
    figure_weights = weights.figure_weights
    compare = predictions.compare_predictions

    # Tables: paper | ours | difference, and what they say.
    table = tables.show_table
    differences = tables.show_differences
    signs = tables.count_signs
    shares = tables.show_shares
    literature = tables.show_literature
    left_out = tables.show_left_out
    each_seed = seeds.show_each_seed
    seed_quality = seeds.show_seed_quality
    agreement = provenance.show_agreement
    provenance = provenance.show_provenance

    # The fourteen claims.
    answer = answer_claim

    @cached_property
    def _judged(self) -> list[ClaimResult]:
        return judge_claims(self)

    def claims(self) -> list[ClaimResult]:
        """Judge the fourteen claims; see `wsss.pages.claims.judge_claims`."""
        return self._judged

    def verdicts(self) -> Styler:
        """Show one line a claim: the paper's figure, ours with its interval, verdict and reason."""
        return show_verdicts(self._judged)

    def comparisons(self) -> Styler:
        """Show every comparison of every claim."""
        return show_comparisons(self._judged)

    def forest(self) -> Figure | None:
        """Draw the claims with their intervals."""
        return forest_plot(self._judged)

    def tally(self) -> Markdown:
        """Count the verdicts in one sentence, and say how far random seeds differ."""
        spread = median_spread(self._judged)
        told = "– (one random seed)" if math.isnan(spread) else f"{spread:.1f}"
        return Markdown(
            f"**{count_verdicts(self._judged)}** The paired differences in mIoU have a median "
            f"standard deviation over random seeds of {told}."
        )

    def everything(self) -> None:
        """Compute in one graph what the seven tables and the claims are read from."""
        # The last ones have the longest trainings: begun last, they would leave cores without work.
        asked = self.asked("claim13", *reversed(TABLES))
        self.provide([*((each.stage, each.testing) for each in asked), *claim_numbers(self)])
