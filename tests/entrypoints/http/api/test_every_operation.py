"""Every operation of the document is called by some test: a route that nobody tries is noticed here."""

import re
from pathlib import Path

import httpx2

TESTS = Path(__file__).parents[3]
_JOINED = re.compile(r'" \+ [\w.]+ \+ "')
_ADDRESS = re.compile(r'(?:\.(get|post|put|patch|delete)\(\s*)?(?<![\w])f?"((?:\{V1\}|/)[^"\s]*)"')
_FILLED = re.compile(r"\{[^{}]*\}")
_ROOTS = ("", "api", "v1")


def _segments(address: str) -> tuple[str, ...]:
    """The parts of an address below the API's root; what is filled in is empty and stands for anything."""
    plain = _FILLED.sub("", address.replace("{V1}", "/api/v1").partition("?")[0])
    parts = tuple(plain.split("/"))
    return parts[3:] if parts[:3] == _ROOTS else parts[1:]


def _called() -> set[tuple[str | None, tuple[str, ...]]]:
    """Method and address of every call that the tests write out; no method where it stands elsewhere."""
    found: set[tuple[str | None, tuple[str, ...]]] = set()
    for path in sorted(TESTS.rglob("test_*.py")) + sorted(TESTS.rglob("stage.py")):
        if path == Path(__file__):
            continue
        text = _JOINED.sub("{}", path.read_text())
        found |= {(one[1] or None, _segments(one[2])) for one in _ADDRESS.finditer(text)}
    return found


def _is_called(method: str, path: str, called: set[tuple[str | None, tuple[str, ...]]]) -> bool:
    wanted = _segments(path)
    return any(
        by in {None, method}
        and len(parts) == len(wanted)
        and parts[0] == wanted[0]
        and all(part in {"", name} or not name for part, name in zip(parts, wanted, strict=True))
        for by, parts in called
    )


async def test_every_operation_is_called(caller: httpx2.AsyncClient) -> None:
    """Beside the drawn calls of `test_contract.py`, which know what an answer looks like but not what it should say."""
    document = (await caller.get("/openapi.json")).json()
    called = _called()

    operations = [(method, path) for path, methods in document["paths"].items() for method in methods]

    assert len(operations) > 100
    assert [one for one in operations if not _is_called(*one, called)] == []


def test_a_route_that_nobody_calls_is_noticed() -> None:
    """A last word that no test writes is not taken for one that is filled in."""
    called = _called()

    assert _is_called("post", "/api/v1/broadcasts/{campaign_id}/start", called)
    assert not _is_called("delete", "/api/v1/broadcasts/{campaign_id}/start", {(None, ("broadcasts", "", "stop"))})
    assert not _is_called("post", "/api/v1/nobody/calls/{this}", called)
