"""Faults of our own, as a log may tell them: what and where, never whose."""

import traceback
from pathlib import PurePath

MOST_FRAMES = 4


def fault(error: BaseException) -> str:
    """The kind of an error and the places it came through, the innermost first.

    Neither its words nor its cause's: they may hold a row's values, a number or a text.
    """
    frames = reversed(traceback.extract_tb(error.__traceback__))
    places = [f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    cause = f" from {type(error.__cause__).__name__}" if error.__cause__ is not None else ""
    return " < ".join([f"{type(error).__name__}{cause}", *places[:MOST_FRAMES]])
