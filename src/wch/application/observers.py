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
    """Tells each fact to those who hear its kind, in their order; what one of them raises reaches nobody else.

    Attributes:
        all: who listens; whoever does not say by `hears` what, hears everything.
    """

    all: tuple[Observer, ...]
    _listening: dict[type, tuple[Observer, ...]] = attrs.field(factory=dict, init=False, eq=False, repr=False)

    def hears(self, kind: type) -> bool:
        """Whether anybody hears facts of this kind."""
        return bool(self._of(kind))

    def _of(self, kind: type) -> tuple[Observer, ...]:
        found = self._listening.get(kind)
        if found is None:
            found = self._listening[kind] = tuple(one for one in self.all if getattr(one, "hears", _everything)(kind))
        return found

    def __call__(self, fact: object) -> None:
        """Tell this fact."""
        for observer in self._of(type(fact)):
            try:
                observer(fact)
            except Exception as error:  # noqa: BLE001 - whatever a host's code raises stays with it
                log.error("an observer failed: %s", fault(error), extra={"fact": type(fact).__name__})  # noqa: TRY400 - a traceback would show values


def _everything(_kind: type) -> bool:
    return True


@attrs.frozen
class _Unmeasured:
    tell: Callable[[object], None]

    def hears(self, kind: type) -> bool:
        return not issubclass(kind, Measured)

    def __call__(self, fact: object) -> None:
        if self.hears(type(fact)):
            self.tell(fact)


def unmeasured(tell: Callable[[object], None]) -> Observer:
    """Somebody who hears what happened, and nothing of what is only measured."""
    return _Unmeasured(tell)
