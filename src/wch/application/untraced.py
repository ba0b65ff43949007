"""Untraced: the tracer of a hub that nobody traces."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext

import attrs


class _NoSpan:
    def note(self, **about: str | int) -> None:
        """Noted nowhere."""

    def call(self, name: str) -> None:
        """Named nowhere."""

    def fail(self, kind: str) -> None:
        """Told nobody."""


NO_SPAN = nullcontext(_NoSpan())
"""What stands around a block of which nobody hears."""


@attrs.frozen
class Untraced:
    """Makes no span."""

    def span(
        self,
        name: str,  # noqa: ARG002 - the port's arguments
        /,
        *,
        caller: Iterable[tuple[bytes, bytes]] | None = None,  # noqa: ARG002 - as above
        outside: bool = False,  # noqa: ARG002 - as above
        **about: str | int,  # noqa: ARG002 - as above
    ) -> AbstractContextManager[_NoSpan]:
        """No span, and no cost."""
        return NO_SPAN
