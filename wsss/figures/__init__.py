"""Pictures for the notebooks, drawn from the store; the only place that knows matplotlib."""

from wsss.figures.cams import disagreement, figure1, figure_networks, figure_scales
from wsss.figures.forest import forest_plot
from wsss.figures.pilot import figure2, figure_lines
from wsss.figures.predictions import compare_predictions, figure5
from wsss.figures.slider import Slider
from wsss.figures.style import colour_labels, overlay_cam
from wsss.figures.teaching import figure_teaching
from wsss.figures.weights import figure4, figure_weights

__all__ = [
    "Slider",
    "colour_labels",
    "compare_predictions",
    "disagreement",
    "figure1",
    "figure2",
    "figure4",
    "figure5",
    "figure_lines",
    "figure_networks",
    "figure_scales",
    "figure_teaching",
    "figure_weights",
    "forest_plot",
    "overlay_cam",
]
