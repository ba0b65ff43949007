"""The simulated shop's webhooks: told once, never again, and switched off when nobody listens."""

import asyncio
import base64
import hashlib
import hmac
import logging
from collections.abc import Callable
from typing import Any

import httpx2

from wch.adapters.sandbox.woocommerce.answering import php_json
from wch.adapters.sandbox.woocommerce.reckoning import Row
from wch.application.ports import Clock
from wch.domain.moment import unix

log = logging.getLogger(__name__)

FAILURES_BORNE = 5
"""The failure after one more than so many switches the webhook off: the seventh in a row."""

SECONDS = 60.0
_OK = range(200, 303)
PAUSE_SECONDS = 0.05


class Webhooks:
    """Tells of changes, built when they are delivered.

    A second change of the same thing while its delivery waits is folded into it. A failed
    delivery is lost.

    Args:
        body_of: the resource as the API gives it; None when it is gone.
        source: the shop's address.
        http: the client that posts; whoever made it closes it.
        by_itself: deliver shortly after a change; else only when `deliver` is called.
    """

    def __init__(
        self,
        *,
        body_of: Callable[[str, int], Row | None],
        source: str,
        clock: Clock,
        http: httpx2.AsyncClient,
        by_itself: bool,
    ) -> None:
        self.rows: dict[int, Row] = {}
        self._body_of = body_of
        self._source = source
        self._clock = clock
        self._http = http
        self._by_itself = by_itself
        self._waiting: dict[tuple[int, int], str] = {}
        self._tasks: set[asyncio.Task[int]] = set()

    def add(self, *, topic: str, delivery_url: str, secret: str) -> Row:
        """A webhook that is active from now on."""
        row: Row = {
            "id": len(self.rows) + 1,
            "name": topic,
            "status": "active",
            "topic": topic,
            "delivery_url": delivery_url,
            "secret": secret,
            "failure_count": 0,
        }
        self.rows[row["id"]] = row
        return row

    async def ping(self, webhook_id: int) -> int:
        """What WooCommerce sends when a webhook is first switched on: a form without signature; the answer's status."""
        form = f"webhook_id={webhook_id}".encode()
        return await self._post(
            self.rows[webhook_id]["delivery_url"], form, {"Content-Type": "application/x-www-form-urlencoded"}
        )

    def tell(self, topic: str, row_id: int) -> None:
        """Something changed."""
        for hook in self.rows.values():
            if hook["status"] == "active" and hook["topic"] == topic:
                self._waiting.setdefault((hook["id"], row_id), topic)
        if self._by_itself and self._waiting:
            task = asyncio.get_running_loop().create_task(self._soon())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _soon(self) -> int:
        await asyncio.sleep(PAUSE_SECONDS)
        return await self.deliver()

    async def deliver(self) -> int:
        """Deliver all that waits; how many were taken."""
        waiting, self._waiting = self._waiting, {}
        taken = 0
        for (hook_id, row_id), topic in waiting.items():
            hook = self.rows[hook_id]
            if hook["status"] != "active":
                continue
            body = php_json(
                {"id": row_id} if topic.endswith("deleted") else self._body_of(topic, row_id) or {"id": row_id}
            )
            status = await self._post(hook["delivery_url"], body, self._headers(hook, topic, body))
            if status in _OK:
                hook["failure_count"] = 0
                taken += 1
            elif hook["failure_count"] > FAILURES_BORNE:
                hook["status"] = "disabled"
            else:
                hook["failure_count"] += 1
        return taken

    def _headers(self, hook: Row, topic: str, body: bytes) -> dict[str, str]:
        resource, _, event = topic.partition(".")
        # Two deliveries of one webhook within a second share this id, as they do in WooCommerce.
        delivery = hashlib.md5(f"{hook['id']}{unix(self._clock.now())}".encode(), usedforsecurity=False).hexdigest()
        signature = base64.b64encode(hmac.new(str(hook["secret"]).encode(), body, hashlib.sha256).digest()).decode()
        return {
            "Content-Type": "application/json",
            "User-Agent": "WooCommerce/9.2.3 Hookshot (WordPress/6.6.1)",
            "X-WC-Webhook-Source": f"{self._source}/",
            "X-WC-Webhook-Topic": topic,
            "X-WC-Webhook-Resource": resource,
            "X-WC-Webhook-Event": event,
            "X-WC-Webhook-Signature": signature,
            "X-WC-Webhook-ID": str(hook["id"]),
            "X-WC-Webhook-Delivery-ID": delivery,
        }

    async def _post(self, url: str, body: bytes, headers: dict[str, Any]) -> int:
        try:
            answer = await self._http.post(url, content=body, headers=headers, timeout=SECONDS)
        except (httpx2.HTTPError, OSError):
            log.info("a delivery of the simulated shop was lost")
            return 0
        return int(answer.status_code)

    async def aclose(self) -> None:
        """Stop telling."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
