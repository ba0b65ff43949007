"""What changed in the shop, whether or not its webhooks told: products and orders by the time of their last change.

A cursor holds the moment from which the next look reads, how far the present look has come, and
what of the last minute was told already. The moment is the shop's own, less a minute: its
clock decides what `modified_after` means. An item counts as told only while it stays letter for
letter the same, so a second change within one second is not missed.
"""

import base64
import json
import zlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs

from wch.adapters.woocommerce.bodies import Json, WooOrder, moment, number, text
from wch.adapters.woocommerce.calling import PER_PAGE, WooApi
from wch.adapters.woocommerce.intents import Intents
from wch.adapters.woocommerce.orders import Orders, is_twin
from wch.adapters.woocommerce.pricing import KEY
from wch.application.ports import Clock
from wch.domain.catalogue import Change, ChangeKind, Changes
from wch.domain.moment import iso, of_iso
from wch.domain.shop_error import ShopRefusedError

OVERLAP = timedelta(seconds=60)
FIRST_LOOK = timedelta(days=1)
MOST_TOLD = 1000
_WALKS = (("products", "any"), ("products", "trash"), ("orders", "any"), ("orders", "trash"))


@attrs.frozen(kw_only=True)
class Cursor:
    """How far the changes were read.

    Attributes:
        since: the look reads what changed after this.
        began: the shop's time when the look began; None before its first answer.
        walk: which of the lists is read.
        page: which page of it.
        total: how many rows the list had.
        told: items of the last minute, with a mark of how they stood.
        telling: those that this look has met.
    """

    since: datetime
    began: datetime | None = None
    walk: int = 0
    page: int = 1
    total: int | None = None
    told: Mapping[str, int] = attrs.field(factory=dict)
    telling: Mapping[str, int] = attrs.field(factory=dict)

    @classmethod
    def read(cls, written: str | None, *, now: datetime) -> "Cursor":
        """The cursor in a text that `written` made; None begins a day ago, since a shop may have a million orders."""
        if written is None:
            return cls(since=now - FIRST_LOOK)
        try:
            told: Any = json.loads(zlib.decompress(base64.urlsafe_b64decode(written.encode())))
            return cls(
                since=of_iso(told["since"]),
                began=None if told["began"] is None else of_iso(told["began"]),
                walk=int(told["walk"]),
                page=int(told["page"]),
                total=told["total"],
                told=dict(told["told"]),
                telling=dict(told["telling"]),
            )
        except (ValueError, TypeError, KeyError, zlib.error) as error:
            code = "cursor"
            raise ShopRefusedError(code) from error

    def written(self) -> str:
        """As a text."""
        told = {
            "since": iso(self.since),
            "began": None if self.began is None else iso(self.began),
            "walk": self.walk,
            "page": self.page,
            "total": self.total,
            "told": dict(self.told),
            "telling": dict(self.telling),
        }
        return base64.urlsafe_b64encode(zlib.compress(json.dumps(told, sort_keys=True).encode())).decode()


@attrs.frozen(kw_only=True)
class ChangeFeed:
    """Reads what changed; an order that a lost call made a second time is cancelled on the way."""

    api: WooApi
    orders: Orders
    intents: Intents
    clock: Clock

    async def since(self, written: str | None, limit: int) -> Changes:
        """Up to `limit` changes after the cursor, or more where one page of the shop holds more."""
        cursor = Cursor.read(written, now=self.clock.now())
        found: dict[tuple[ChangeKind, int], Change] = {}
        whole_look = cursor.began is None
        while len(found) < limit:
            cursor, page, ended = await self._step(cursor)
            found |= {(change.kind, change.id): change for change in page}
            if ended and (found or whole_look):
                break
            # The rest of a look that found nothing says nothing of what it had passed already.
            whole_look = whole_look or ended
        return Changes(items=tuple(found.values()), cursor=cursor.written())

    async def _step(self, cursor: Cursor) -> tuple[Cursor, list[Change], bool]:
        """One page; whether the look is over with it."""
        path, status = _WALKS[cursor.walk]
        reply = await self.api.get(
            path,
            status=status,
            modified_after=cursor.since.strftime("%Y-%m-%dT%H:%M:%S"),
            dates_are_gmt=True,
            orderby="id",
            order="asc",
            per_page=PER_PAGE,
            page=cursor.page,
        )
        began = cursor.began or reply.at or self.clock.now()
        if cursor.total is not None and reply.total is not None and reply.total < cursor.total and cursor.page > 1:
            # Rows left the list, so others moved up to pages that were read: read the one before again.
            return attrs.evolve(cursor, began=began, page=cursor.page - 1, total=reply.total), [], False
        changes: list[Change] = []
        telling = dict(cursor.telling)
        for row in reply.rows:
            change = _change(path, row, deleted=status == "trash")
            if change is None:
                continue
            name, mark = f"{change.kind}:{change.id}", _mark(row)
            if _is_late(row, began):
                telling[name] = mark
            if cursor.told.get(name) != mark:
                changes.append(change)
                if path == "orders" and not change.deleted:
                    await self._tidy(row)
        if len(telling) > MOST_TOLD:
            # Too many to remember: they are told again, which does no harm.
            telling = {}
        after = attrs.evolve(cursor, began=began, telling=telling, total=reply.total)
        if cursor.page < (reply.pages or 1):
            return attrs.evolve(after, page=cursor.page + 1), changes, False
        if cursor.walk + 1 < len(_WALKS):
            return attrs.evolve(after, walk=cursor.walk + 1, page=1, total=None), changes, False
        return Cursor(since=began - OVERLAP, told=telling), changes, True

    async def _tidy(self, row: Json) -> None:
        """Cancel an order of ours that was made twice, or whose placement was given up in doubt."""
        order = WooOrder.read(row)
        key = text(order.meta.get(KEY))
        intent = await self.intents.of(key) if key else None
        if intent is not None and is_twin(order, intent.order_id, void=intent.void):
            await self.orders.cancel(order, "Made twice by a call whose answer was lost.", key=f"{key}-twin{order.id}x")


def _change(path: str, row: Json, *, deleted: bool) -> Change | None:
    found = number(row.get("id"))
    if found is None or text(row.get("status")) in ("auto-draft", "checkout-draft"):
        return None
    kind = ChangeKind.ORDER if path == "orders" else ChangeKind.PRODUCT
    return Change(kind=kind, id=found, deleted=deleted)


def _mark(row: Json) -> int:
    """A short mark of how it stands, so that what is letter for letter the same is known again."""
    kept = {name: value for name, value in row.items() if name not in ("_links", "related_ids")}
    return zlib.crc32(json.dumps(kept, sort_keys=True, default=str).encode())


def _is_late(row: Json, began: datetime) -> bool:
    """Whether the next look will meet it again if nothing happens."""
    modified = moment(row.get("date_modified_gmt")) or moment(row.get("date_created_gmt"))
    return modified is None or modified >= began - OVERLAP
