"""`python -m twinpix`."""

from twinpix.cli import main

if __name__ == "__main__":
    main()
