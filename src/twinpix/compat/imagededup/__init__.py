"""The interface of imagededup: replace `imagededup` by `twinpix.compat.imagededup` in a program's imports.

Faults of imagededup are not reproduced; docs/imagededup.md lists the differences.
"""

from twinpix import __version__

__all__ = ["__version__"]
