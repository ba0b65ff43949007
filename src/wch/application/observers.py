"""Observers: hosts hear what happened, in the past tense and after the commit."""

import logging
from collections.abc import Callable

import attrs

from wch.application.facts import Measured
from wch.application.faults import fault
from wch.application.ports import Observer

log = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class Observers:
    """Tells every observer each fact, in their order; what one of them raises reaches nobody else.

    Attributes:
        all: who listens.
    """

    all: tuple[Observer, ...]

    def __call__(self, fact: object) -> None:
        """Tell this fact."""
        for observer in self.all:
            try:
                observer(fact)
            except Exception as error:  # noqa: BLE001 - whatever a host's code raises stays with it
                log.error("an observer failed: %s", fault(error), extra={"fact": type(fact).__name__})  # noqa: TRY400 - a traceback would show values


def unmeasured(tell: Callable[[object], None]) -> Observer:
    """Somebody who hears what happened, and nothing of what is only measured."""

    def heard(fact: object) -> None:
        if not isinstance(fact, Measured):
            tell(fact)

    return heard
