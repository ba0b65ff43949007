"""A folder of files, each under a name that we made; whole or not there at all."""

import asyncio
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from wch.domain.attachment import AttachmentError

_NAME = re.compile(r"[0-9a-f]{32}\Z")


class FolderMediaStore:
    """Keeps files until they are forgotten; the folder is made when the first one comes, for its owner alone."""

    def __init__(self, folder: Path) -> None:
        """Keep them there."""
        self._folder = folder

    async def put(self, name: str, data: bytes) -> None:
        """Keep this; a crash leaves the whole file or none.

        Raises:
            AttachmentError: `unkept`: the disk does not take it, or there is a file of this name.
        """
        try:
            await asyncio.to_thread(self._put, self._path(name), data)
        except OSError as error:
            raise AttachmentError(code="unkept") from error

    async def get(self, name: str) -> bytes | None:
        """What is kept under this name; None when it is not there, or cannot be read."""
        try:
            return await asyncio.to_thread(self._path(name).read_bytes)
        except OSError:
            return None

    async def forget(self, names: Iterable[str]) -> int:
        """Delete these; how many were there.

        Raises:
            AttachmentError: `unforgotten`: the disk does not let one go, so it must be tried again.
        """
        try:
            return await asyncio.to_thread(self._forget, [self._path(name) for name in set(names)])
        except OSError as error:
            raise AttachmentError(code="unforgotten") from error

    def _path(self, name: str) -> Path:
        """Where a file lies; a name that is none of ours leads nowhere.

        Raises:
            AttachmentError: `unkept`: we made no such name.
        """
        if _NAME.match(name) is None:
            raise AttachmentError(code="unkept")
        return self._folder / name

    def _put(self, path: Path, data: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists():
            raise FileExistsError
        handle, beside = tempfile.mkstemp(dir=self._folder, prefix=".")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(beside).replace(path)
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise

    def _forget(self, paths: list[Path]) -> int:
        there = [path for path in paths if path.exists()]
        for path in there:
            path.unlink(missing_ok=True)
        return len(there)
