"""Is a picture a page? Ink all over one plain ground, at the few pixels that hashes are made of."""

import numpy as np

from twinpix.model import Bytes2D

SIDE = 160
"""Pixels along the shorter side at which the numbers below were measured."""

_BAND = 17  # grey levels that count as the ground's
_OFF = 24  # grey levels off the ground: ink
_GROUND = 0.5  # of the pixels
_BEGINS = 0.005  # of the pixels of a row, and of a column: so many begin a stroke; a thing on a plain ground has fewer


def is_printed(grey: Bytes2D) -> bool:
    """True for forms, tables, tickets, calendars, sheets of music, charts and windows: ink all over a plain ground.

    `grey` has SIDE pixels along its shorter side, or somewhat more.
    """
    levels = np.bincount(grey.ravel(), minlength=256)
    wide = np.convolve(levels, np.ones(_BAND, np.int64), "same")
    ground = int(wide.argmax())
    if wide[ground] <= _GROUND * grey.size:
        return False
    ink = np.abs(grey.astype(np.int16) - ground) > _OFF
    across, down = ink[:, 1:] & ~ink[:, :-1], ink[1:] & ~ink[:-1]
    return bool(min(across.mean(), down.mean()) > _BEGINS)
