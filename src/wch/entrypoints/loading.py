"""Loading much at once."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

NEW_BEFORE_A_LOOK = 10_000
"""Objects that are made and not yet gone, before it is looked for those that only hold each other."""


@contextmanager
def nothing_thrown_away() -> Iterator[None]:
    """Loading makes many objects that all stay: looking for those that may go costs a fifth of the start.

    Afterwards they are left out of every later look too, and looks are rarer: a group of deliveries makes
    thousands of objects that all live until its commit, and go by themselves.
    """
    gc.disable()
    try:
        yield
        gc.freeze()
        gc.set_threshold(NEW_BEFORE_A_LOOK)
    finally:
        gc.enable()
