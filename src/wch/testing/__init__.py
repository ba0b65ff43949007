"""Shipped for hosts: an in-memory hub, a clock that stands still, and the suites an adapter must pass."""

from wch.testing.doubles import NOON, FrozenClock, RecordingWhatsApp, SeededIds, SequentialIds, words

__all__ = ["NOON", "FrozenClock", "RecordingWhatsApp", "SeededIds", "SequentialIds", "words"]
