"""The sandbox itself: phones that say things, and a Graph API that takes answers and reports on them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import httpx2

from wch.adapters.sandbox import deliveries
from wch.adapters.sandbox.catalogue_api import SimulatedCatalogue
from wch.adapters.sandbox.deliveries import Business, user_id_of
from wch.adapters.sandbox.faults import FaultKind, Faults
from wch.adapters.sandbox.gateways import SimulatedGateways
from wch.adapters.sandbox.graph import GraphAnswer, GraphApi, GraphCall, Taken
from wch.adapters.sandbox.phone_book import PhoneBook
from wch.adapters.sandbox.phones import Phone, Spoken
from wch.adapters.sandbox.postman import AGAIN_AFTER_SECONDS, Postman
from wch.adapters.sandbox.refusals import GraphRefusalError, status_error
from wch.adapters.sandbox.sayings import message_of
from wch.adapters.sandbox.templates import ApprovedTemplate, TemplateBook
from wch.adapters.sandbox.woocommerce import SimulatedWooCommerce
from wch.application.ports import Clock, Ids
from wch.domain.document import JsonObject
from wch.domain.moment import unix
from wch.domain.phone import surrogate

WINDOW = timedelta(hours=24)
PACE_SECONDS = 0.01
"""How long a message is on its way between two statuses."""


async def _never_heard(_wa_id: str) -> datetime | None:
    return None


async def _nothing_to_empty() -> int:
    return 0


class Sandbox:
    """Stands in for WhatsApp: what it posts is signed and goes over HTTP, as from Meta's servers.

    Args:
        webhook_url: where deliveries go.
        secret: the app secret that signs them.
        token: the access token that calls must carry.
        number: the phone number id that customers write to unless they name another.
        waba_id: the account.
        clock: the hub's clock, so that moving it moves the phones too.
        ids: chance.
        http: the client that posts; closed with the sandbox.
        advance: moves the clock of every process on the database, and does what is due.
        empty: deletes the hub's rows, and tells how many.
        numbers: further phone number ids of the account; `*` knows every one.
        templates: those of the account, at first.
        heard_before: when a customer wrote last, as far as it is known from before this
            process; for customers who have not written since.
        pace: seconds between two statuses of a message.
        again_after: the pauses before a delivery that was not taken is tried again.
        gateways: stand-ins for those who take the money; closed with the sandbox.
        shop: a stand-in for a WooCommerce shop; closed with the sandbox.
        faults: the bad days to order, shared with what stands in for the shop.
        catalogue_id: the account's catalogue; without a number it has none.
    """

    def __init__(
        self,
        *,
        webhook_url: str,
        secret: str,
        token: str,
        number: str,
        waba_id: str,
        clock: Clock,
        ids: Ids,
        http: httpx2.AsyncClient,
        advance: Callable[[timedelta], Awaitable[object]],
        empty: Callable[[], Awaitable[int]] = _nothing_to_empty,
        numbers: Sequence[str] = (),
        templates: Sequence[ApprovedTemplate] = (),
        heard_before: Callable[[str], Awaitable[datetime | None]] = _never_heard,
        pace: float = PACE_SECONDS,
        again_after: Sequence[float] = AGAIN_AFTER_SECONDS,
        gateways: SimulatedGateways | None = None,
        shop: SimulatedWooCommerce | None = None,
        faults: Faults | None = None,
        catalogue_id: str = "",
    ) -> None:
        self.faults = faults or Faults()
        self.gateways = gateways
        self.shop = shop
        self.clock = clock
        self._number = number
        self._ids = ids
        self._http = http
        self._advance = advance
        self._empty = empty
        self._heard_before = heard_before
        self._pace = pace
        self.templates = TemplateBook(templates)
        self._phones = PhoneBook()
        self._late: list[JsonObject] = []
        self._together: list[JsonObject] = []
        self._timers: set[asyncio.Task[None]] = set()
        self._postman = Postman(
            url=webhook_url,
            secret=secret,
            waba_id=waba_id,
            http=http,
            faults=self.faults,
            clock=clock,
            again_after=again_after,
        )
        self._graph = GraphApi(
            token=token,
            numbers=tuple(dict.fromkeys((*numbers, number))),
            waba_id=waba_id,
            templates=self.templates,
            clock=clock,
            ids=ids,
            faults=self.faults,
            take=self._take,
            mark_read=self._phones.tell_read,
            catalogue=SimulatedCatalogue(id=catalogue_id, ids=ids, faults=self.faults),
            pay=self._paid,
        )

    # --- the phones

    async def say(self, wa_id: str, body: JsonObject) -> JsonObject:
        """Say something as this customer, and bring it to the hub.

        Args:
            wa_id: digits.
            body: a Cloud API message without its envelope, or `{"tap": "<id or title>"}`;
                beside it `name`, `language`, `id`, `timestamp` and `number` if wanted.

        Returns:
            The message's id, the hub's HTTP status (None without an answer), and whether a
            fault holds it back.

        Raises:
            SayingRefusedError: it is no such message.
            BusinessBlockedError: the customer has blocked the business.
            NotFoundError: nothing on the phone offers what is tapped.
        """
        phone = self._phones.of(wa_id)
        self._phones.set_up(wa_id, {key: body[key] for key in ("name", "language") if isinstance(body.get(key), str)})
        now = self.clock.now()
        number = str(body.get("number") or self._number)
        message = message_of(phone, body, lambda data, kind: self._graph.keep_media(data, kind, number))
        message = {
            "id": deliveries.message_id(wa_id, self._ids.token(), inbound=True),
            "timestamp": str(unix(now)),
            **message,
        }
        content = {key: value for key, value in message.items() if key not in {"id", "timestamp"}}
        spoken = Spoken(
            id=str(message["id"]), direction="inbound", type=str(message["type"]), body=content, at=now, number=number
        )
        self._look(phone)
        phone.show(spoken)
        phone.wrote_at = now
        value = deliveries.message_value(
            Business(number=number),
            message,
            wa_id=wa_id,
            name=phone.name,
            without_number=phone.hides_number or self.faults.take(FaultKind.BSUID_ONLY) is not None,
        )
        status, held = await self._bring(wa_id, value)
        spoken.webhook = status
        return {"id": spoken.id, "status": status, "held": held}

    def read(self, wa_id: str) -> JsonObject:
        """Look at the phone: everything that came is read, and reported so; how many."""
        phone = self._phones.find(wa_id)
        return {"read": 0 if phone is None else self._look(phone)}

    def messages(self, wa_id: str) -> list[JsonObject]:
        """What both sides said, in order."""
        phone = self._phones.find(wa_id)
        return [] if phone is None else [spoken.plain() for spoken in phone.spoken]

    def customers(self) -> list[JsonObject]:
        """The phones that there are."""
        return [phone.plain() for phone in self._phones]

    def known_as(self, wa_id: str) -> str:
        """The key that the hub gives a customer who writes from this phone."""
        phone = self._phones.find(wa_id)
        return surrogate(user_id_of(wa_id)) if phone is not None and phone.hides_number else wa_id

    async def set_up(self, wa_id: str, wishes: JsonObject) -> JsonObject:
        """Change what is named of a phone: name, language, timezone, hides_number, blocks, takes_offers; how it is then.

        WhatsApp tells the business of the offers only.

        Raises:
            SayingRefusedError: the number or the zone is none.
        """
        phone = self._phones.set_up(wa_id, wishes)
        wanted = wishes.get("takes_offers")
        if wanted is not None and bool(wanted) is not phone.takes_offers:
            phone.takes_offers = bool(wanted)
            value = deliveries.preference_value(
                Business(number=self._number),
                wa_id=wa_id,
                name=phone.name,
                value="resume" if phone.takes_offers else "stop",
                at=unix(self.clock.now()),
                without_number=phone.hides_number,
            )
            await self._postman.insist([value], field="user_preferences")
        return phone.plain()

    async def change_number(self, wa_id: str, new: str) -> JsonObject:
        """Give a customer another number, and let WhatsApp tell the hub; the phone as it is then.

        Raises:
            NumberTakenError: somebody has that number.
            SayingRefusedError: this is no number.
        """
        phone = self._phones.renumber(wa_id, new)
        value = deliveries.moved_value(
            Business(number=self._number),
            old=wa_id,
            new=new,
            name=phone.name,
            message={
                "id": deliveries.message_id(wa_id, self._ids.token(), inbound=True),
                "timestamp": str(unix(self.clock.now())),
            },
            without_number=phone.hides_number,
        )
        await self._postman.insist([value])
        return phone.plain()

    # --- the Graph API

    async def called(
        self,
        *,
        method: str,
        path: str,
        authorization: str | None,
        body: bytes,
        content_type: str,
        host: str,
        query: str = "",
    ) -> GraphAnswer:
        """Answer one call to the Graph API; its path begins with the version, `host` is what lies before it."""
        return await self._graph.call(
            GraphCall(
                method=method,
                path=path,
                authorization=authorization,
                body=body,
                content_type=content_type,
                host=host,
                query=query,
            )
        )

    def graph_log(self, *, after: int = 0) -> list[JsonObject]:
        """Every call so far, the oldest first."""
        return self._graph.log(after=after)

    def deliveries(self, *, after: int = 0) -> list[JsonObject]:
        """Every signed delivery that went to the hub, the oldest first."""
        return self._postman.log.listed(after=after)

    async def deliver_again(self, number: int, how: str) -> list[int | None]:
        """Let a delivery go once more, as it was or wrongly; the hub's status for each post.

        Raises:
            NotFoundError: it is not kept.
            AgainRefusedError: there is no such way.
        """
        return await self._postman.repeat(number, how)

    async def change_template(
        self, name: str, language: str, *, status: str | None = None, quality: str | None = None
    ) -> None:
        """Decide about a template as WhatsApp would, and bring the news.

        Raises:
            NotFoundError: the account has no such template.
            TemplateChangeError: there is no such state or quality.
        """
        for field, value in self.templates.change(name, language, status=status, quality=quality):
            await self._postman.insist([value], field=field)

    # --- the clock and the end

    async def advance(self, span: timedelta) -> datetime:
        """Let time pass, for every process on the database, with what is due in it; what time it is then."""
        await self._advance(span)
        return self.clock.now()

    async def begin_anew(self) -> int:
        """Empty phones, logs, payments and faults, approve all templates, and delete the hub's rows; how many."""
        self._let_go(self._late)
        self._let_go(self._together)
        await self.settle()
        for kept in (self._phones, self.faults, self._postman.log, self._graph):
            kept.clear()
        if self.gateways is not None:
            self.gateways.clear()
        self.templates.begin_anew()
        return await self._empty()

    async def settle(self) -> None:
        """Wait until everything that is on its way has come."""
        await self._postman.settle()
        if self.gateways is not None:
            await self.gateways.settle()

    async def aclose(self) -> None:
        """Stop reporting."""
        await self._postman.aclose()
        if self.gateways is not None:
            await self.gateways.aclose()
        if self.shop is not None:
            await self.shop.aclose()
        await self._http.aclose()

    # --- what customers do

    async def _bring(self, wa_id: str, value: JsonObject) -> tuple[int | None, bool]:
        """Bring one message to the hub, unless a fault holds it back; the hub's status, and whether it is held."""
        fault = self.faults.take(FaultKind.BATCH)
        if fault is not None:
            self._together.append(value)
            if fault.calls:
                self._hold(fault.seconds, self._release_together)
                return None, True
            return await self._deliver(wa_id, self._let_go(self._together)), False
        fault = self.faults.take(FaultKind.REORDER)
        if fault is not None:
            self._late.append(value)
            self._hold(fault.seconds, self._release_late)
            return None, True
        status = await self._deliver(wa_id, [value])
        await self._release_late()
        return status, False

    async def _deliver(self, wa_id: str, values: Sequence[JsonObject]) -> int | None:
        """Post once and tell how it went; what a hub in trouble did not take is brought again, as Meta does."""
        status = await self._postman.post(values)
        if status is None or status >= httpx2.codes.INTERNAL_SERVER_ERROR:
            self._postman.later(f"again:{wa_id}", partial(self._postman.again, values))
        return status

    def _hold(self, seconds: float, release: Callable[[], Awaitable[None]]) -> None:
        """Release what is held when the time is over, if it has not been by then."""

        async def in_the_end() -> None:
            await asyncio.sleep(seconds)
            self._timers.discard(timer)
            await release()

        timer = self._postman.alone(in_the_end)
        self._timers.add(timer)

    def _let_go(self, held: list[JsonObject]) -> list[JsonObject]:
        """What is held, from now on held no more; nothing waits for it any longer once nothing is held."""
        values = held[:]
        held.clear()
        if not self._late and not self._together:
            for timer in self._timers:
                timer.cancel()
            self._timers.clear()
        return values

    async def _release_late(self) -> None:
        for value in self._let_go(self._late):
            await self._postman.insist([value])

    async def _release_together(self) -> None:
        together = self._let_go(self._together)
        if together:
            await self._postman.insist(together)

    def _look(self, phone: Phone) -> int:
        """Whoever writes has read what was on the screen."""
        unread = phone.unread()
        for spoken in unread:
            self._postman.later(phone.wa_id, partial(self._report, phone.wa_id, spoken, "read"))
        return len(unread)

    # --- what the business does

    async def _take(self, number: str, body: JsonObject, fails_with: int | None) -> Taken:
        """Show a send on the phone, and let its statuses go."""
        phone = self._phones.addressee(body)
        kind = str(body.get("type", "text"))
        template = self._template(body)
        spoken = Spoken(
            id=deliveries.message_id(phone.wa_id, self._ids.token(), inbound=False),
            direction="outbound",
            type=kind,
            body={"type": kind, **{key: body[key] for key in (kind, "context") if key in body}},
            at=self.clock.now(),
            number=number,
            callback_data=body.get("biz_opaque_callback_data"),
            category="service" if template is None else template.category.lower(),
            buttons=() if template is None else template.quick_replies,
            quiet=self.faults.take(FaultKind.STATUS_LOST) is not None,
            withheld=phone.blocks,
            unnumbered=phone.hides_number,
        )
        fails_with = fails_with or await self._failure(phone, spoken, body)
        words: tuple[str, ...] = ("sent",) if kind == "reaction" or phone.blocks else ("sent", "delivered")
        if fails_with is not None:
            spoken.error = status_error(fails_with)
            words = ("failed",)
        phone.show(spoken)
        if self.faults.take(FaultKind.REORDER) is not None:
            words = tuple(reversed(words))
        taken = Taken(
            id=spoken.id,
            wa_id=phone.wa_id if body.get("to") else None,
            user_id=user_id_of(phone.wa_id),
        )
        if spoken.quiet:
            return taken
        if self.faults.take(FaultKind.STATUS_FIRST) is not None:
            for word in words:
                await self._report(phone.wa_id, spoken, word)
            return taken
        for word in words:
            self._postman.later(phone.wa_id, partial(self._travel, phone.wa_id, spoken, word))
        return taken

    async def _failure(self, phone: Phone, spoken: Spoken, body: JsonObject) -> int | None:
        """The code with which WhatsApp reports a send as failed that it had taken; None when it arrives."""
        if not phone.has_whatsapp:
            return 131026
        if self.gateways is not None:
            refused = self.gateways.in_chat.said(spoken.number, phone.wa_id, spoken.id, body)
            if refused is not None:
                return refused
        if spoken.type != "template" and not await self._window_is_open(phone):
            return 131047
        if spoken.category == "marketing" and not phone.takes_offers:
            return 131050
        return None

    def _paid(self, method: str, path: Sequence[str], body: bytes) -> GraphAnswer:
        """A call about payments inside the chat."""
        if self.gateways is None:
            raise GraphRefusalError(100, "This sandbox knows no payments.")
        answered = self.gateways.called(
            self.gateways.in_chat.name, method=method, path=path, query={}, headers={}, body=body
        )
        return GraphAnswer(status=answered.status, body=answered.body)

    def _template(self, body: JsonObject) -> ApprovedTemplate | None:
        if body.get("type") != "template":
            return None
        return self.templates.of(body["template"]["name"], body["template"]["language"]["code"])

    async def _window_is_open(self, phone: Phone) -> bool:
        if phone.wrote_at is None:
            phone.wrote_at = await self._heard_before(phone.wa_id)
        return phone.wrote_at is not None and self.clock.now() < phone.wrote_at + WINDOW

    async def _travel(self, wa_id: str, spoken: Spoken, word: str) -> None:
        await asyncio.sleep(self._pace)
        await self._report(wa_id, spoken, word)

    async def _report(self, wa_id: str, spoken: Spoken, word: str) -> None:
        """Tell the hub a status of a message that it sent."""
        spoken.statuses.append(word)
        status: dict[str, Any] = {
            "id": spoken.id,
            "status": word,
            "timestamp": str(unix(self.clock.now())),
            "recipient_user_id": user_id_of(wa_id),
        }
        if not spoken.unnumbered:
            status["recipient_id"] = wa_id
        if word in {"sent", "delivered"}:
            free = spoken.category == "service"
            status["pricing"] = {
                "billable": not free,
                "pricing_model": "PMP",
                "type": "free_customer_service" if free else "regular",
                "category": spoken.category,
            }
        if spoken.error is not None:
            status["errors"] = [spoken.error]
        if spoken.callback_data is not None:
            status["biz_opaque_callback_data"] = spoken.callback_data
        value = deliveries.status_value(Business(number=spoken.number), status)
        await self._postman.insist([value])
