"""Loggers of modules."""

import logging


def return_logger(name: str) -> logging.Logger:
    """Return the logger `name`. No handler is added: the program configures logging."""
    return logging.getLogger(name)
