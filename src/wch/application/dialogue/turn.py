"""A turn: one scene on its way to its answer; the stories write on it, nothing else is touched."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs

from wch.application.dialogue.listing import Listing
from wch.application.dialogue.model import Talker
from wch.application.dialogue.page import Choice, Page, texts_of
from wch.application.dialogue.policy import Policy
from wch.application.dialogue.routes import Place, Route, read_route, to
from wch.application.dialogue.scene import Answer, RefundWish, SagaSignal, Say, Scene, Silence
from wch.application.ports import Payments, Shop
from wch.application.texts import Texts, choose_language
from wch.domain.cart import Cart, CartItem
from wch.domain.catalogue import Product
from wch.domain.conversation import CHECKOUT, Conversation, Event, State
from wch.domain.customer import CustomerProfile
from wch.domain.document import JsonObject, amended
from wch.domain.evolution import evolve
from wch.domain.message import Message
from wch.domain.moment import iso, of_iso
from wch.domain.money import Money
from wch.domain.outgoing import Outgoing
from wch.domain.phone import variants
from wch.domain.placement import Placement
from wch.domain.quote import Buyer, Line
from wch.domain.saga import Saga

LARGEST_CONTEXT = 16 * 1024
"""Bytes of a conversation's context as JSON."""

FLOOD_WITHIN = timedelta(seconds=60)
FLOOD_AFTER = 5
"""The same answer is sent so often within that time; the next one is not."""

REMEMBERED = 10

CART_OPENED = "cart_opened"
"""Stands beside the events of the table: the first line went into an empty cart."""
"""Turns in a conversation's history."""


@attrs.frozen(kw_only=True)
class CartChanged:
    """A customer changed what is in the cart."""

    cart_id: int


@attrs.frozen(kw_only=True)
class CheckoutStarted:
    """A customer began to order."""

    cart_id: int


@attrs.frozen(kw_only=True)
class Prompt:
    """The question that is open, or the last page's choices."""

    kind: str
    asked_at: datetime
    expires_at: datetime
    tries: int
    options: Mapping[str, str]
    again: str | None


@attrs.define(kw_only=True, eq=False)
class Handled:
    """What became of one row of the scene."""

    message: Message
    begun_in: State
    ended_in: State
    intent: str = "none"
    did: list[str] = attrs.field(factory=list)
    silence: Silence | None = None


@attrs.frozen(kw_only=True)
class Mark:
    """What a message may have changed, to go back to when the shop is away."""

    conversation: Conversation
    profile: CustomerProfile
    cart: Cart | None
    facts: int
    page: Page | None
    told: int


@attrs.define(kw_only=True, eq=False)
class Turn:
    """One scene on its way to its answer.

    Facts are told whatever comes after; of the pages only the last is shown, since of
    several questions only the last can be answered.
    """

    scene: Scene
    policy: Policy
    shop: Shop
    payments: Payments
    talker: Talker | None
    listing: Listing | None
    texts: Texts
    conversation: Conversation
    profile: CustomerProfile
    cart: Cart | None
    rows: list[Handled] = attrs.field(factory=list)
    told: list[str] = attrs.field(factory=list)
    page: Page | None = None
    before: Page | None = None
    placement: Placement | None = None
    signals: list[SagaSignal] = attrs.field(factory=list)
    refunds: list[RefundWish] = attrs.field(factory=list)
    viewed: list[Product] = attrs.field(factory=list)
    facts: list[object] = attrs.field(factory=list)

    @classmethod
    def of(
        cls,
        scene: Scene,
        *,
        policy: Policy,
        shop: Shop,
        payments: Payments,
        talker: Talker | None = None,
        listing: Listing | None = None,
    ) -> "Turn":
        """The turn of this scene, before its first message."""
        known = scene.conversation.context.get("language")
        language = choose_language(
            chosen=scene.profile.language,
            matched=(),
            current=known if isinstance(known, str) else None,
            customer=scene.profile.phone,
            default=policy.language,
            served=policy.languages,
        )
        return cls(
            scene=scene,
            policy=policy,
            shop=shop,
            payments=payments,
            talker=talker,
            listing=listing,
            texts=Texts(language, replaced=scene.texts),
            conversation=scene.conversation,
            profile=scene.profile,
            cart=scene.cart,
        )

    # --- what is known

    @property
    def now(self) -> datetime:
        """The moment of the scene."""
        return self.scene.now

    @property
    def state(self) -> State:
        """Where the customer stands."""
        return self.conversation.state

    @property
    def context(self) -> JsonObject:
        """What the dialogue remembers."""
        return self.conversation.context

    @property
    def row(self) -> Handled:
        """The row that is being handled."""
        return self.rows[-1]

    @property
    def in_checkout(self) -> bool:
        """Whether a step of the checkout is open."""
        return self.state in CHECKOUT

    @property
    def checkout(self) -> JsonObject:
        """The choices of the checkout so far."""
        return self._part("checkout")

    @property
    def prompt(self) -> Prompt | None:
        """The question that is open; None when there is none or its time is over."""
        told = self._part("prompt")
        try:
            prompt = Prompt(
                kind=str(told["kind"]),
                asked_at=of_iso(told["asked_at"]),
                expires_at=of_iso(told["expires_at"]),
                tries=int(told.get("tries", 0)),
                options={str(number): str(reply) for number, reply in dict(told.get("options", {})).items()},
                again=told.get("again"),
            )
        except (KeyError, TypeError, ValueError):
            return None
        return prompt if self.now < prompt.expires_at else None

    @property
    def buyer(self) -> Buyer:
        """The customer, as the shop is told."""
        return Buyer(
            phones=variants(self.profile.phone),
            name=self.profile.name or "",
            email=self.profile.email,
            customer_id=self.profile.wc_customer_id,
        )

    @property
    def items(self) -> tuple[CartItem, ...]:
        """What is in the cart; nothing while it has expired."""
        if self.cart is None or self.cart.status.value in {"expired", "recovered"}:
            return ()
        return self.cart.items

    @property
    def lines(self) -> tuple[Line, ...]:
        """The cart's lines, as the shop is asked about them."""
        return lines_of(self.items)

    @property
    def running(self) -> Saga | None:
        """The placement of this cart that is under way."""
        saga = self.scene.placement
        return saga if saga is not None and saga.is_open else None

    @property
    def is_busy(self) -> bool:
        """Whether an order is being placed, so that the cart may not change."""
        returns = self.conversation.return_state if self.state is State.AWAITING_HUMAN else self.state
        mine = self.running is not None and self.cart is not None and self.running.saga_id == self.cart.saga_id
        return returns is State.AWAITING_PAYMENT or mine

    @property
    def ad(self) -> Route | None:
        """Where the advertisement leads that the message came from; None when nobody said."""
        told = self.row.message.content.get("referral")
        source = told.get("source_id") if isinstance(told, Mapping) else None
        return read_route(self.scene.ads.get(str(source), ""))

    def basket(self) -> Cart:
        """The customer's cart, opened if there is none."""
        return self.cart or Cart.opened(self.profile.phone, now=self.now)

    def say(self, id: str, /, **values: object) -> str:  # noqa: A002 - it is what the catalogues call it
        """The text of this id in the customer's language."""
        return self.texts.say(id, **values)

    def money(self, amount: Money) -> str:
        """An amount in the customer's language."""
        return self.texts.money(amount)

    # --- what is decided

    def begin(self, message: Message) -> Mark:
        """Turn to the next message."""
        self.rows.append(Handled(message=message, begun_in=self.state, ended_in=self.state))
        return Mark(
            conversation=self.conversation,
            profile=self.profile,
            cart=self.cart,
            facts=len(self.facts),
            page=self.page,
            told=len(self.told),
        )

    def take_back(self, mark: Mark) -> None:
        """Forget everything that this message had led to."""
        self.conversation = mark.conversation
        self.profile = mark.profile
        self.cart = mark.cart
        self.page = mark.page
        del self.facts[mark.facts :]
        del self.told[mark.told :]
        self.row.did.clear()

    def tell(self, id: str, /, **values: object) -> None:  # noqa: A002 - it is what the catalogues call it
        """Say a fact before whatever is shown next."""
        self.told.append(self.say(id, **values))

    def tell_lines(self, *lines: str) -> None:
        """Say several lines as one fact."""
        if lines:
            self.told.append("\n".join(lines))

    def show(self, page: Page) -> None:
        """Show this page at the end of the turn, and let its choices be picked by number."""
        self.page = page
        options = {}
        if page.numbered:
            options = {str(number): choice.route.reply_id for number, choice in enumerate(page.offered, start=1)}
        self.remember(
            prompt={
                "kind": page.prompt,
                "asked_at": iso(self.now),
                "expires_at": iso(self.now + page.lives),
                "tries": 0,
                "options": options,
                **({} if page.again is None else {"again": page.again.reply_id}),
            }
        )

    def fold(self) -> None:
        """Make a fact of what was shown, so that the question that it interrupted can be asked again."""
        if self.page is not None:
            self.told.append(self.page.body)
            self.page = None

    def be_silent(self, reason: Silence, intent: str) -> None:
        """Say nothing about this message, for this reason."""
        self.row.silence = reason
        self.row.intent = intent

    def remember(self, **fields: Any) -> None:
        """Change what the dialogue remembers; None forgets."""
        context = amended(self.context, **fields)
        self.conversation = evolve(self.conversation, context=context)

    def speak(self, language: str) -> None:
        """Go on in this language."""
        self.texts = Texts(
            language if language in self.policy.languages else self.policy.language, replaced=self.scene.texts
        )
        self.remember(language=self.texts.language)

    def move(self, event: Event, to: State | None = None) -> bool:
        """Move the conversation if its table has this; leaving the checkout drops its choices."""
        if not self.conversation.allows(event):
            return False
        was = self.state
        self.conversation = self.conversation.on(event, to, now=self.now)
        self.row.did.append(event.value)
        if was in CHECKOUT and self.state not in CHECKOUT and self.state is not State.AWAITING_HUMAN:
            self.remember(checkout=None, prompt=None)
        return True

    def change_cart(self, cart: Cart) -> None:
        """The cart as it shall be; the first line in an empty one is told of it."""
        if cart.items and not (self.cart is not None and self.cart.items):
            self.row.did.append(CART_OPENED)
        self.cart = cart
        self.facts.append(CartChanged(cart_id=cart.id))

    # --- the answer

    def answer(self) -> Answer:
        """Everything that was decided, ready to be applied."""
        for row in self.rows:
            self._recall(row)
        spoken = [row for row in self.rows if row.silence is None]
        messages = self._messages() if spoken else ()
        if messages and self._is_flood(messages):
            messages = ()
            for row in spoken:
                row.silence = Silence.FLOOD
        self.conversation = evolve(self.conversation, context=_within(self.context))
        last = spoken[-1].message.id if spoken else None
        return Answer(
            conversation=self.conversation,
            profile=self.profile,
            cart=self.cart if self.cart is not self.scene.cart else None,
            says=self._says(messages),
            accounts={row.message.id: _account(row, last) for row in self.rows},
            placement=self.placement,
            signals=tuple(self.signals),
            refunds=tuple(self.refunds),
            viewed=tuple(product.id for product in self.viewed),
            sightings=tuple(self.viewed),
            facts=tuple(self.facts),
        )

    def _messages(self) -> tuple[Outgoing, ...]:
        first = () if self.before is None else self.before.messages()
        if self.page is not None:
            return (*first, *self.page.messages(self.told))
        return (*first, *texts_of(self.told))

    def _says(self, messages: tuple[Outgoing, ...]) -> tuple[Say, ...]:
        """What is said, the page visibly answering what it quotes."""
        quotes = None if self.page is None else self.page.quotes
        return tuple(Say(message=one, quotes=quotes if one is messages[-1] else None) for one in messages)

    def _recall(self, row: Handled) -> None:
        history = [*self.context.get("history", ()), _step(row, self.now)]
        self.remember(history=history[-REMEMBERED:])

    def _is_flood(self, messages: tuple[Outgoing, ...]) -> bool:
        """Whether two machines are talking: the same answer for the sixth time within a minute."""
        mark = hashlib.sha256(repr(messages).encode()).hexdigest()[:16]
        before = self._part("flood")
        same = before.get("mark") == mark and self.now < of_iso(before["since"]) + FLOOD_WITHIN
        count = int(before.get("count", 0)) + 1 if same else 1
        self.remember(flood={"mark": mark, "since": before["since"] if same else iso(self.now), "count": count})
        return count > FLOOD_AFTER

    def _part(self, name: str) -> JsonObject:
        found = self.context.get(name)
        return found if isinstance(found, Mapping) else {}

    # --- what many pages offer

    def choice(self, title: str, route: Route | Place, **values: object) -> Choice:
        """A button by the id of its title."""
        where = to(route) if isinstance(route, Place) else route
        return Choice(route=where, title=self.say(title, **values))


def lines_of(items: tuple[CartItem, ...]) -> tuple[Line, ...]:
    """Lines as the shop is asked about them."""
    return tuple(
        Line(product_id=item.product_id, variation_id=item.variation_id, quantity=item.quantity) for item in items
    )


def named(name: str, attributes: Mapping[str, str]) -> str:
    """A product with what makes its variant."""
    return f"{name} ({', '.join(attributes.values())})" if attributes else name


def item_name(item: CartItem) -> str:
    """A cart's line as it is called."""
    return named(item.product_name, item.variant_attributes)


def _step(row: Handled, now: datetime) -> JsonObject:
    return {"at": iso(now), "intent": row.intent, "from": row.begun_in.value, "to": row.ended_in.value}


def _account(row: Handled, last: int | None) -> JsonObject:
    account: dict[str, Any] = {
        "intent": row.intent,
        "from": row.begun_in.value,
        "to": row.ended_in.value,
        "did": list(row.did),
    }
    if row.silence is not None:
        account["silence"] = row.silence.value
    elif row.message.id != last:
        account["with"] = last
    return account


def _within(context: JsonObject) -> JsonObject:
    """A context that fits: history goes first, then page, then referral."""
    for name in ("history", "page", "referral"):
        if len(json.dumps(context, ensure_ascii=False).encode()) <= LARGEST_CONTEXT:
            break
        context = amended(context, **{name: None})
    return context
