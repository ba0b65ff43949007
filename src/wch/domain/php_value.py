"""PHP's serialised values, read as plain data; nothing is ever made or run."""

from typing import Any

DEEPEST = 100


class NotPhpError(ValueError):
    """This is no value in PHP's form, or one that plain data cannot hold."""


def read_php(text: str) -> Any:
    """The value in this text: null, truth, number, text, list or object; an object of a class is refused.

    Lengths in PHP's form count bytes, so the text is read as UTF-8.

    Raises:
        NotPhpError: it is cut off, goes on after its end, or is none.
    """
    reader = _Reader(text.encode("utf-8", "surrogatepass"))
    value = reader.value(0)
    if reader.place != len(reader.data):
        message = "there is more after the end"
        raise NotPhpError(message)
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 0

    def value(self, depth: int) -> Any:
        if depth > DEEPEST:
            message = "it is nested too deeply"
            raise NotPhpError(message)
        kind = self._take(1)
        if kind == b"N":
            self._expect(b";")
            return None
        self._expect(b":")
        match kind:
            case b"b":
                return self._until(b";") == b"1"
            case b"i":
                return self._whole(self._until(b";"))
            case b"d":
                return self._until(b";").decode("ascii", "replace")
            case b"s":
                text = self._text()
                self._expect(b";")
                return text
            case b"a":
                return self._array(depth)
        message = f"a value of kind {kind.decode('latin-1')!r} is not read"
        raise NotPhpError(message)

    def _array(self, depth: int) -> Any:
        count = self._whole(self._until(b":"))
        self._expect(b"{")
        pairs: dict[Any, Any] = {}
        for _ in range(count):
            key = self.value(depth + 1)
            if not isinstance(key, int | str):
                message = "a key is no number and no text"
                raise NotPhpError(message)
            pairs[key] = self.value(depth + 1)
        self._expect(b"}")
        if list(pairs) == list(range(len(pairs))):
            return list(pairs.values())
        return {str(key): one for key, one in pairs.items()}

    def _text(self) -> str:
        length = self._whole(self._until(b":"))
        self._expect(b'"')
        text = self._take(length).decode("utf-8", "replace")
        self._expect(b'"')
        return text

    def _take(self, length: int) -> bytes:
        taken = self.data[self.place : self.place + length]
        if length < 0 or len(taken) != length:
            message = "it is cut off"
            raise NotPhpError(message)
        self.place += length
        return taken

    def _until(self, mark: bytes) -> bytes:
        end = self.data.find(mark, self.place)
        if end < 0:
            message = "it is cut off"
            raise NotPhpError(message)
        taken = self.data[self.place : end]
        self.place = end + len(mark)
        return taken

    def _expect(self, mark: bytes) -> None:
        if self._take(len(mark)) != mark:
            message = f"{mark.decode()!r} is missing"
            raise NotPhpError(message)

    @staticmethod
    def _whole(digits: bytes) -> int:
        try:
            return int(digits)
        except ValueError as error:
            message = "a number is none"
            raise NotPhpError(message) from error
