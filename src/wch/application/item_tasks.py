"""Item tasks: rows of products and stock levels, brought into facts and catalogue fifty at a time."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import attrs

from wch.application import full_runs, product_facts
from wch.application.alarms import alarm
from wch.application.catalogue_calls import CatalogueCalls, NotNow, Outcome, Unanswered, refusals
from wch.application.catalogue_looks import CatalogueLooks, Look
from wch.application.failpoints import Failpoints
from wch.application.ports import Clock, UnitOfWork
from wch.application.sync_leases import Done, End, HandedBack, Held, Later, Refused, SyncLeases
from wch.domain.catalogue import Product
from wch.domain.catalogue_item import BatchStatus, CatalogueItem, Difference, SentItems, in_calls
from wch.domain.shop_error import ShopError, ShopUnavailableError

NOT_READY = "catalogue_not_ready"
_REASON = 255


@attrs.frozen(kw_only=True)
class StockLow:
    """Of this sellable only the last pieces are left."""

    sellable_id: int
    quantity: int


@attrs.frozen(kw_only=True)
class CatalogItemFailed:
    """The catalogue has not got this product as the shop sells it."""

    product_id: int
    why: str


@attrs.define(kw_only=True)
class _Case:
    """One product of a batch, and what is known of it so far.

    Attributes:
        sent: what the catalogue holds, as far as it was settled.
        difference: what is to be sent.
        later: why it has to wait for another attempt.
        not_now: why it waits without an attempt being used up.
        refused: by retailer id why items were not taken.
        settled: outcomes that are written down at the end: calls and what they refused.
        awaited: the call whose outcome is not known yet, with its handle.
    """

    look: Look
    sent: SentItems
    difference: Difference = attrs.field(factory=Difference)
    later: str | None = None
    not_now: NotNow | None = None
    refused: dict[str, str] = attrs.field(factory=dict)
    settled: list[tuple[Mapping[str, str | None], Mapping[str, str]]] = attrs.field(factory=list)
    awaited: tuple[str, Mapping[str, str | None]] | None = None

    @property
    def faults(self) -> dict[str, str]:
        """By retailer id why items are not in the catalogue as they should be."""
        return {**{one.id: one.fault.value for one in self.difference.unfit}, **self.refused}


@attrs.frozen(kw_only=True)
class ItemTasks:
    """Brings products and stock levels in step.

    Attributes:
        low_stock: at so many pieces an alarm is raised.
        tell: hears what happened, after the commit.
    """

    clock: Clock
    looks: CatalogueLooks
    calls: CatalogueCalls
    leases: SyncLeases
    failpoints: Failpoints
    low_stock: int
    tell: Callable[[object], None]

    async def may_work(self) -> bool:
        """Whether rows are worth taking: not while the catalogue rests."""
        return self.looks.catalogue is None or await self.calls.may_call()

    async def bring(self, held: Sequence[Held]) -> int:
        """Bring what was taken in step; how many rows came to an end or were tried."""
        try:
            products = await self.looks.products_of([one.task for one in held])
            looks = await self.looks.all(products.values())
        except ShopError as error:
            await self.leases.end([Later(held=one, error=_word(error)) for one in held])
            return len(held)
        sent = await self.looks.sent(products.values())
        cases = {
            product: _Case(look=look, sent=sent[product]) for product, look in looks.items() if isinstance(look, Look)
        }
        if self.looks.catalogue is not None:
            await self._ask_on(cases, held)
            await self._push(cases, held)
        self.failpoints("sync.after_call")
        told: list[object] = []
        ends = [self._ended(one, products.get(one.task.id), looks, cases, told) for one in held]
        await self.leases.end(ends)
        self.failpoints("sync.finished")
        for fact in dict.fromkeys(told):
            self.tell(fact)
        return sum(not isinstance(one, HandedBack) for one in ends)

    async def _ask_on(self, cases: Mapping[int, _Case], held: Sequence[Held]) -> None:
        """Calls of an earlier attempt whose outcome was not known: asked again instead of sent again."""
        assert self.looks.catalogue is not None  # noqa: S101 - the caller has looked
        told: dict[str, BatchStatus | Unanswered | NotNow] = {}
        for case in cases.values():
            handle, call = case.sent.handle, case.sent.pending
            if handle is None:
                continue
            if handle not in told:
                await self.leases.renew(held)
                told[handle] = await self.calls.ask(self.looks.catalogue, handle)
            answer = told[handle]
            if isinstance(answer, NotNow):
                case.not_now = answer
            elif isinstance(answer, Unanswered) and not answer.is_final:
                case.later = answer.error
            elif isinstance(answer, Unanswered):
                case.settled.append(({}, {}))
            elif answer.is_finished:
                refused = refusals(answer, call)
                case.settled.append((call, refused))
                case.refused = {name: why for name, why in refused.items() if _is_same(case.look, name, call[name])}
            else:
                case.later = NOT_READY
            for settled in case.settled:
                case.sent = case.sent.settled(*settled, now=self.clock.now())

    async def _push(self, cases: Mapping[int, _Case], held: Sequence[Held]) -> None:
        """All that differs, in as few calls as may be."""
        assert self.looks.catalogue is not None  # noqa: S101 - the caller has looked
        owner: dict[str, _Case] = {}
        for case in cases.values():
            if case.later is None and case.not_now is None:
                case.difference = _without(Difference.between(case.look.items, case.sent), case.refused)
                owner |= dict.fromkeys(case.difference.call, case)
        requests = [request for case in cases.values() for request in case.difference.requests]
        for batch in in_calls(requests):
            names = [str(request["data"]["id"]) for request in batch]
            outcome = await self.calls.push(self.looks.catalogue, batch, alive=lambda: self.leases.renew(held))
            shares: dict[int, dict[str, str | None]] = {}
            for name in names:
                case = owner[name]
                shares.setdefault(case.look.product_id, {})[name] = case.difference.call[name]
            for product, call in shares.items():
                _note(cases[product], call, outcome)

    def _ended(
        self,
        held: Held,
        product: int | None,
        looks: Mapping[int, Look | ShopError],
        cases: Mapping[int, _Case],
        told: list[object],
    ) -> End:
        if product is None:
            return Done(held=held)
        look = looks[product]
        if isinstance(look, ShopError):
            return Later(held=held, error=_word(look))
        case = cases[product]
        if case.not_now is not None:
            return HandedBack(held=held)

        def remember(uow: UnitOfWork) -> None:
            self._remember(uow, case)

        if case.later is not None:
            return Later(held=held, error=case.later, effects=remember)

        def effects(uow: UnitOfWork) -> None:
            self._remember(uow, case)
            if look.product is not None:
                told.extend(self._running_low(uow, look.product))
                product_facts.note_product(uow, look.product, now=self.clock.now())

        if case.faults:
            why = "; ".join(
                fault if name == str(product) else f"{name}: {fault}" for name, fault in case.faults.items()
            )[:_REASON]
            told.append(CatalogItemFailed(product_id=product, why=why))
            return Refused(held=held, why=why, effects=effects)
        return Done(held=held, effects=effects)

    def _running_low(self, uow: UnitOfWork, product: Product) -> Iterator[StockLow]:
        """An alarm for each sellable whose last pieces are reached from above; called before the facts are renewed."""
        for sold in product.variants or (product,):
            before = product_facts.known(uow, sold.id)
            earlier = None if before is None else before.quantity
            if earlier is not None and sold.stock is not None and earlier > self.low_stock >= sold.stock:
                about = f"product:{sold.id}"
                alarm(uow, "low_stock", now=self.clock.now(), about=about, quantity=sold.stock)
                yield StockLow(sellable_id=sold.id, quantity=sold.stock)

    def _remember(self, uow: UnitOfWork, case: _Case) -> None:
        """What the catalogue took becomes known with the end of the row."""
        if self.looks.catalogue is None or not (case.settled or case.awaited):
            return
        now = self.clock.now()
        name = self.looks.name(case.look.product_id)
        before = sent = SentItems.read(uow.options.get(name, lock=True))
        for call, refused in case.settled:
            sent = sent.settled(call, refused, now=now)
        if case.awaited is not None:
            sent = sent.awaiting(*case.awaited)
        if sent.is_empty:
            uow.options.remove(name)
        else:
            uow.options.put(name, sent.written())
        if sent != before:
            full_runs.count(uow, [call for call, _ in case.settled])


def _note(case: _Case, call: Mapping[str, str | None], outcome: Outcome | Unanswered | NotNow) -> None:
    """What became of the product's share of a call."""
    if isinstance(outcome, NotNow):
        case.not_now = outcome
    elif isinstance(outcome, Unanswered):
        case.later = outcome.error
    elif outcome.status is None:
        case.later = NOT_READY
        case.awaited = (outcome.handle, {**(case.awaited[1] if case.awaited else {}), **call})
    else:
        refused = refusals(outcome.status, call)
        case.settled.append((call, refused))
        case.refused |= refused


def _without(difference: Difference, refused: Mapping[str, str]) -> Difference:
    """What was refused a moment ago is not sent again at once."""

    def left(items: Sequence[CatalogueItem]) -> tuple[CatalogueItem, ...]:
        return tuple(one for one in items if one.id not in refused)

    return attrs.evolve(
        difference,
        created=left(difference.created),
        changed=left(difference.changed),
        deleted=tuple(name for name in difference.deleted if name not in refused),
    )


def _is_same(look: Look, name: str, digest: str | None) -> bool:
    """Whether what a call held of this item is what would be sent now."""
    wanted = {one.id: one.hash for one in look.items if isinstance(one, CatalogueItem)}
    return wanted.get(name) == digest


def _word(error: ShopError) -> str:
    return "shop_unavailable" if isinstance(error, ShopUnavailableError) else type(error).__name__
