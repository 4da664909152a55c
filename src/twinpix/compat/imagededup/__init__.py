"""imagededup's interface: in a program's imports, put `twinpix.compat.imagededup` where `imagededup` was.

Where imagededup fails for no reason, this does not; docs/imagededup.md lists what differs.
"""

from twinpix import __version__

__all__ = ["__version__"]
