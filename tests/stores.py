"""Read a store while another process writes it."""

from pathlib import Path

from twinpix.store import Store

MANY = 200  # images in the folder `many`
# The start of a program whose workers take a tenth of a second for each image, so that it can be stopped in the middle:
# twenty seconds for all of `many`; the first ones are in the store after three to five.
SLOW = """
import time
import twinpix.encoding.encode_task as coding
real = coding.decode
def decode(*arguments):
    time.sleep(0.1)
    return real(*arguments)
coding.decode = decode
"""
SLOW_COMMAND = (
    SLOW
    + """
from twinpix.cli import main
if __name__ == "__main__":
    main()
"""
)


def held(path: Path) -> int:
    """The number of codes in a store; 0 if there is no store."""
    if not path.exists():
        return 0
    store = Store(path)
    try:
        return store.info().codes
    finally:
        store.close()
