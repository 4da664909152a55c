"""The logger of a module."""

import logging


def return_logger(name: str) -> logging.Logger:
    """The logger called `name`. No handler is added: the program that uses it says where its log goes."""
    return logging.getLogger(name)
