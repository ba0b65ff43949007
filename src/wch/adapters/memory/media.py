"""Files in memory: the latest ones, as long as the process lives."""

from collections.abc import Iterable

from wch.domain.attachment import AttachmentError

MOST_BYTES = 64 * 1024 * 1024


class MemoryMediaStore:
    """Keeps the latest files up to a size together; an older one is fetched again when it is wanted."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        """Keep at most so many bytes."""
        self._most = most
        self._kept: dict[str, bytes] = {}

    async def put(self, name: str, data: bytes) -> None:
        """Keep this, and let go of the oldest until there is room.

        Raises:
            AttachmentError: `unkept`: there is a file of this name.
        """
        if name in self._kept:
            raise AttachmentError(code="unkept")
        self._kept[name] = data
        while sum(map(len, self._kept.values())) > self._most:
            del self._kept[next(iter(self._kept))]

    async def get(self, name: str) -> bytes | None:
        """What is kept; None when it had to make room."""
        return self._kept.get(name)

    async def forget(self, names: Iterable[str]) -> int:
        """Delete these; how many were there."""
        return sum(self._kept.pop(name, None) is not None for name in set(names))

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
