"""Where twinpix tells what it does: the logger `twinpix`, which prints nothing until its user configures logging.

Info: stages with their counts and times, what was found. Warning: each image that could not be used. Debug: the rest.
"""

import logging

logger = logging.getLogger("twinpix")
logger.addHandler(logging.NullHandler())
