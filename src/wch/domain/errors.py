"""Everything that can go wrong by rule, rooted in one class and free of personal data."""

from collections.abc import Mapping
from typing import Any


class WchError(Exception):
    """Something that the hub refuses or cannot do; the first line of each class says what.

    Data travels as keyword attributes, never inside the text, so that a handler can
    decide on it and a log can leave it out.
    """

    def __init__(self, message: str | None = None, /, **facts: Any) -> None:
        self.facts: Mapping[str, Any] = facts
        self.__dict__.update(facts)
        text = message or (type(self).__doc__ or type(self).__name__).strip().splitlines()[0]
        super().__init__(text)


class TransitionError(WchError):
    """This step does not exist from the present state."""


class ForbiddenEventError(TransitionError):
    """The conversation has no transition for this event in its present state."""


class SlotTakenError(TransitionError):
    """The reminder slot is taken, or the cart is not abandoned any more."""


class CartRefusalError(WchError):
    """The cart cannot take this change; `code` is the word of the refusal."""

    code: str


class LeaseLostError(WchError):
    """Somebody else holds this work now; nothing of ours was written."""


class DuplicateError(WchError):
    """A row with this unique key is there already; `key` names the constraint's column."""


class NotLockedError(WchError):
    """A row was saved that this transaction had not locked."""


class ReadOnlyError(WchError):
    """Something was written inside a read."""


class UndecodableError(WchError):
    """A stored value cannot be read; the row is left as it is."""


class AccountUnavailableError(WchError):
    """WhatsApp does not say now how token and numbers stand; what is known of them stays."""


class StoreUnavailableError(WchError):
    """The store did not answer in time; nothing is known to be written, asking again is safe."""


class StoreMisusedError(WchError):
    """The store was asked for something that it cannot keep, such as a text longer than its column."""


class SchemaError(WchError):
    """The database's schema is missing, unknown or newer than this program."""


class SourceError(WchError):
    """What is to be imported cannot be read."""


class SettingsError(WchError):
    """A setting is missing or wrong; every fault is listed with the way out."""


class NotFoundError(WchError):
    """There is nothing under this name."""


class ConflictError(WchError):
    """Somebody else was first, or the state has moved on; look again before the next try."""


class VersionMovedError(ConflictError):
    """Somebody changed it meanwhile: read it again, and decide on what it is now."""
