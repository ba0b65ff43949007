"""Putting a hub together: the only place where all layers meet."""

from wch.bootstrap.ailments import examine
from wch.bootstrap.chosen import settled
from wch.bootstrap.clocks import advance_clock
from wch.bootstrap.installing import Installation, open_source
from wch.bootstrap.opening import LivingHub, open_hub, open_living
from wch.bootstrap.parts import Parts
from wch.bootstrap.rules import missing_for_serving
from wch.bootstrap.sandbox import at_home, open_sandbox
from wch.bootstrap.wiring import wired

__all__ = [
    "Installation",
    "LivingHub",
    "Parts",
    "advance_clock",
    "at_home",
    "examine",
    "missing_for_serving",
    "open_hub",
    "open_living",
    "open_sandbox",
    "open_source",
    "settled",
    "wired",
]
