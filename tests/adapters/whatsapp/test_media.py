"""Files come from WhatsApp's hosts at global addresses only, whole and unchanged."""

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

import httpx2
import pytest

from wch.adapters.whatsapp.media import CloudApiMedia, is_global
from wch.domain.attachment import LARGEST, AttachmentError, checked, kind_of
from wch.domain.outgoing import MediaKind, MessageLimitError

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 20
HEX = hashlib.sha256(PNG).hexdigest()
LINK = "https://lookaside.fbsbx.com/whatsapp?mid=1"


class World:
    """Graph and WhatsApp's file hosts; what was asked of them."""

    def __init__(self, *, url: str = LINK, data: bytes = PNG, sha256: str = HEX, status: int = 200) -> None:
        self.described = {"url": url, "mime_type": "image/png", "sha256": sha256}
        self.data, self.status = data, status
        self.asked: list[httpx2.Request] = []

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        if request.url.host == "graph.example":
            return httpx2.Response(200, json={"id": "up1"} if request.method == "POST" else self.described)
        headers = {"location": "https://127.0.0.1/"} if 300 <= self.status < 400 else {}
        return httpx2.Response(self.status, content=self.data, headers=headers)


def client(world: World, *addresses: str) -> CloudApiMedia:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return addresses or ("157.240.1.1",)

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(world.answer))
    return CloudApiMedia(
        graph_url="https://graph.example", version="v24.0", access_token="T", http=http, resolve=resolve
    )


async def test_a_file_is_fetched_from_the_address_that_was_checked() -> None:
    """Resolved once: the connection goes to that address, under the host's name."""
    world = World()

    found = await client(world).fetch("m1", sha256=HEX)

    assert (found.data, found.mime_type) == (PNG, "image/png")
    download = world.asked[-1]
    assert (download.url.host, download.headers["host"]) == ("157.240.1.1", "lookaside.fbsbx.com")
    assert download.extensions["sni_hostname"] == "lookaside.fbsbx.com"
    assert download.headers["authorization"] == "Bearer T"


@pytest.mark.parametrize(
    "url",
    [
        "http://lookaside.fbsbx.com/x",
        "https://127.0.0.1/x",
        "https://evil.example/x",
        "https://lookaside.fbsbx.com.evil.example/x",
        "https://user@lookaside.fbsbx.com/x",
        "https://fbcdn.net.evil/x",
        "ftp://lookaside.fbsbx.com/x",
        "",
    ],
)
async def test_no_other_address_is_asked_and_no_token_leaves(url: str) -> None:
    """Not https, not WhatsApp's: nothing is connected to."""
    world = World(url=url)

    with pytest.raises(AttachmentError) as refused:
        await client(world).fetch("m1")

    assert refused.value.code == "address"
    assert len(world.asked) == 1


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
     "0.0.0.1", "224.0.0.1", "fe80::1%eth0", "nonsense"],
)  # fmt: skip
async def test_a_host_that_leads_inside_is_not_followed(address: str) -> None:
    """One bad address among good ones is enough."""
    world = World()

    with pytest.raises(AttachmentError):
        await client(world, "157.240.1.1", address).fetch("m1")

    assert len(world.asked) == 1
    assert not is_global(address)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"status": 302}, "address"),
        ({"status": 404}, "gone"),
        ({"sha256": "0" * 64}, "hash"),
        ({"data": b"x" * 101}, "too_large"),
    ],
)
async def test_what_is_not_the_file_is_thrown_away(given: dict[str, Any], code: str) -> None:
    """A redirect is not followed, a file that is longer is cut, another digest is another file."""
    with pytest.raises(AttachmentError) as refused:
        await client(World(**given)).fetch("m1", most=100)

    assert refused.value.code == code


async def test_the_webhooks_digest_counts_first() -> None:
    """Graph may say what it likes; a digest in base64 is the same digest."""
    told = base64.b64encode(hashlib.sha256(PNG).digest()).decode()
    assert (await client(World(sha256=told)).fetch("m1")).data == PNG
    with pytest.raises(AttachmentError):
        await client(World()).fetch("m1", sha256="f" * 64)


async def test_a_file_is_uploaded() -> None:
    """With its type; the id is what messages name."""
    world = World()

    assert await client(world).upload("1", PNG, mime_type="image/png", filename="x.png") == "up1"
    assert b'filename="x.png"' in world.asked[0].content


def test_files_are_known_by_their_bytes() -> None:
    """Never by their name; each kind has its size."""
    assert kind_of(PNG) == (MediaKind.IMAGE, "image/png")
    assert kind_of(b"RIFF1234WEBP") == (MediaKind.STICKER, "image/webp")
    assert kind_of(b"hello") == (MediaKind.DOCUMENT, "text/plain")
    assert kind_of(b"\x00\x01") == (MediaKind.DOCUMENT, "application/octet-stream")
    for data in (b"", PNG + b"x" * LARGEST[MediaKind.IMAGE]):
        with pytest.raises(MessageLimitError):
            checked(data)
