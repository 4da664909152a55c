"""Plots, and the class for user models."""

from twinpix.compat.imagededup.utils.models import CustomModel
from twinpix.compat.imagededup.utils.plotter import plot_duplicates

__all__ = ["CustomModel", "plot_duplicates"]
