"""Files over the Cloud API: fetched only from WhatsApp's hosts at global addresses, and uploaded to be sent."""

import asyncio
import hashlib
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2

from wch.adapters.whatsapp import lookup, strict_json
from wch.adapters.whatsapp.message_content import sha256_hex
from wch.domain.attachment import LARGEST, Attachment, AttachmentError, kind_of
from wch.domain.document import JsonObject
from wch.domain.outgoing import MediaKind

SECONDS = 30.0
LARGEST_OF_ALL = LARGEST[MediaKind.DOCUMENT]
ALLOWED = ("lookaside.fbsbx.com",)
ALLOWED_BELOW = (".fbcdn.net", ".whatsapp.net")

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


async def resolved(host: str, port: int) -> Sequence[str]:
    """The addresses of a host."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(one[4][0]) for one in found))


class CloudApiMedia:
    """Fetches and uploads files; the token goes to the Graph host and to WhatsApp's own hosts, to nobody else."""

    def __init__(
        self, *, graph_url: str, version: str, access_token: str, http: httpx2.AsyncClient, resolve: Resolve = resolved
    ) -> None:
        """Keep where Graph is; the client must follow no redirects and is the caller's to close."""
        self._root = graph_url.rstrip("/")
        self._version = quote(version, safe="")
        self._headers = {"Authorization": f"Bearer {access_token}"}
        self._http = http
        self._resolve = resolve

    async def fetch(self, media_id: str, *, sha256: str | None = None, most: int = LARGEST_OF_ALL) -> Attachment:
        """The file of this id; its address is asked anew, since it lasts five minutes.

        Raises:
            AttachmentError: `gone`, `address`, `too_large`, `hash`, `unavailable`.
        """
        try:
            async with asyncio.timeout(SECONDS):
                described = await self._described(media_id)
                data = await self._download(str(described.get("url", "")), most)
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, OSError, TimeoutError) as error:
            raise AttachmentError(code="unavailable") from error
        digest = hashlib.sha256(data).hexdigest()
        wanted = sha256 or sha256_hex(described.get("sha256"))
        if wanted is not None and digest != wanted:
            raise AttachmentError(code="hash")
        kind, mime_type = kind_of(data)
        declared = lookup.text(described.get("mime_type"))
        return Attachment(data=data, mime_type=mime_type if kind is not MediaKind.DOCUMENT else declared or mime_type)

    async def upload(self, number: str, data: bytes, *, mime_type: str, filename: str) -> str:
        """Give a file to WhatsApp; its id, good for thirty days.

        Raises:
            AttachmentError: `refused`, `unavailable`.
        """
        address = f"{self._root}/{self._version}/{quote(number, safe='')}/media"
        try:
            async with asyncio.timeout(SECONDS):
                answer = await self._http.post(
                    address,
                    headers=self._headers,
                    data={"messaging_product": "whatsapp", "type": mime_type},
                    files={"file": (filename, data, mime_type)},
                    follow_redirects=False,
                )
        except (httpx2.HTTPError, httpx2.StreamError, OSError, TimeoutError) as error:
            raise AttachmentError(code="unavailable") from error
        told = lookup.text(_json(answer.content).get("id"))
        if not answer.is_success or told is None:
            raise AttachmentError(code="refused")
        return told

    async def _described(self, media_id: str) -> JsonObject:
        address = f"{self._root}/{self._version}/{quote(media_id, safe='')}"
        answer = await self._http.get(address, headers=self._headers, follow_redirects=False)
        if not answer.is_success:
            raise AttachmentError(code="gone" if answer.status_code in {400, 404} else "unavailable")
        return _json(answer.content)

    async def _download(self, url: str, most: int) -> bytes:
        address, headers, extensions = await self._pinned(url)
        data = bytearray()
        async with self._http.stream(
            "GET", address, headers={**self._headers, **headers}, extensions=extensions, follow_redirects=False
        ) as answer:
            if not answer.is_success:
                raise AttachmentError(code="address" if answer.is_redirect else "gone")
            async for part in answer.aiter_bytes():
                data += part
                if len(data) > most:
                    raise AttachmentError(code="too_large")
        return bytes(data)

    async def _pinned(self, url: str) -> tuple[str, dict[str, str], dict[str, Any]]:
        """The address to connect to, resolved once, so that nobody can lead us elsewhere in between.

        Raises:
            AttachmentError: it is not https, of no host of WhatsApp's, or at an address that is not global.
        """
        parts = urlsplit(url)
        if f"{parts.scheme}://{parts.netloc}" == _origin(self._root):
            return url, {}, {}
        host = (parts.hostname or "").lower()
        if parts.scheme != "https" or parts.username is not None or not _is_allowed(host, self._root):
            raise AttachmentError(code="address")
        port = parts.port or 443
        addresses = await self._resolve(host, port)
        if not addresses or not all(is_global(one) for one in addresses):
            raise AttachmentError(code="address")
        first = addresses[0]
        where = f"[{first}]" if ":" in first else first
        query = f"?{parts.query}" if parts.query else ""
        return f"https://{where}:{port}{parts.path}{query}", {"Host": parts.netloc}, {"sni_hostname": host}


def is_global(address: str) -> bool:
    """Whether an address is one of the open network, also where a v4 address hides in a v6 one."""
    try:
        told = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(told, ipaddress.IPv6Address):
        hidden = told.ipv4_mapped or told.sixtofour
        if told in _NAT64:
            hidden = ipaddress.IPv4Address(int(told) & 0xFFFFFFFF)
        if hidden is not None:
            return hidden.is_global and not hidden.is_multicast
    return told.is_global and not told.is_multicast


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def _is_allowed(host: str, root: str) -> bool:
    return host in {*ALLOWED, urlsplit(root).hostname} or host.endswith(ALLOWED_BELOW)


def _origin(root: str) -> str:
    parts = urlsplit(root)
    return f"{parts.scheme}://{parts.netloc}"


def _json(body: bytes) -> JsonObject:
    try:
        return lookup.mapping(strict_json.read(body).value)
    except strict_json.StrictJsonError:
        return lookup.NOTHING
