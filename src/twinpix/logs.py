"""The logger `twinpix`; it prints nothing until the program configures logging.

Info: stages with their counts and times, and results. Warning: each image that cannot be used. Debug: the rest.
"""

import logging

logger = logging.getLogger("twinpix")
logger.addHandler(logging.NullHandler())
