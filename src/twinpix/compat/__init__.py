"""The interfaces of other tools over twinpix's own: translation only."""
