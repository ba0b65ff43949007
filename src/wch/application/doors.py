"""What the doors of a hub must know to let the right ones in."""

import attrs


@attrs.frozen(kw_only=True)
class Doors:
    """The terms on which deliveries are taken, whatever brings them.

    Attributes:
        verify_token: what Meta's handshake must bring; an empty one lets nobody in.
        max_bytes: the largest delivery.
        read_seconds: how long a delivery may take to arrive.
        console: whether the operators' pages are served.
        streams: how many of them may be live at a time in one process.
    """

    verify_token: str = attrs.field(repr=False)
    max_bytes: int = 4 * 1024 * 1024
    read_seconds: float = 10
    console: bool = True
    streams: int = 50
