"""Detect page-like images at low resolution: ink all over one plain background."""

import numpy as np

from twinpix.model import Bytes2D

SIDE = 160
"""Pixels along the shorter side at which the thresholds below were measured."""

_BAND = 17  # width of the grey level range of the background
_OFF = 24  # minimum difference between ink and background, in grey levels
_MIN_BACKGROUND = 0.5  # minimum share of background pixels
_BEGINS = 0.005  # minimum share of pixels where a stroke begins, along rows and columns; a single object has fewer


def is_printed(grey: Bytes2D) -> bool:
    """True for page-like images: forms, tables, tickets, calendars, sheet music, charts and screenshots of windows.

    `grey` has `SIDE` pixels along its shorter side, or somewhat more.
    """
    levels = np.bincount(grey.ravel(), minlength=256)
    wide = np.convolve(levels, np.ones(_BAND, np.int64), "same")
    background = int(wide.argmax())
    if wide[background] <= _MIN_BACKGROUND * grey.size:
        return False
    ink = np.abs(grey.astype(np.int16) - background) > _OFF
    across, down = ink[:, 1:] & ~ink[:, :-1], ink[1:] & ~ink[:-1]
    return bool(min(across.mean(), down.mean()) > _BEGINS)
