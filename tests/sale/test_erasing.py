"""An erasure ends the same whoever dies in it, and takes what lies outside the tables along."""

import base64
import contextlib
import logging
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, cast

import attrs
import pytest

from tests.processes import delivery
from tests.sale.lived import BORIS, MAIL, decoded, dump, life, needles
from tests.sale.script import ANNA
from wch.application.failpoints import FailpointError, Failpoints
from wch.application.ports import MediaFiles, Shop, UnitOfWork
from wch.application.sagas import SagaRunner
from wch.application.untraced import Untraced
from wch.domain.attachment import Attachment, AttachmentError
from wch.domain.cart import Cart
from wch.domain.document import amended
from wch.domain.erasure import ERASURE
from wch.domain.lease import Leasing
from wch.domain.moment import unix
from wch.domain.placement import PLACEMENT
from wch.domain.reengagement import CampaignType, Reengagement
from wch.domain.saga import Saga
from wch.domain.shop_error import ShopUnavailableError
from wch.domain.sync import EntityType, SyncAction

EDGES = [
    ("saga.taken", 1),
    ("saga.closed", 1),
    *((edge, step) for edge in ("saga.started", "saga.after_call", "saga.done") for step in range(1, 6)),
]
"""Before and after each step: stop, count, beside, tables, files."""


def runner(lived: Any, points: str = "") -> SagaRunner:
    """A worker over the same store; `points` makes it vanish on its way."""
    hub = lived.hub
    return SagaRunner(
        database=hub.database,
        clock=lived.clock,
        ids=hub.erasures.ids,
        definitions={ERASURE: hub.erasures.definition()},
        tell=lambda _: None,
        failpoints=Failpoints.read(points, testing=True),
        leasing=Leasing(),
        tracer=Untraced(),
        most_at_once=1,
    )


async def whole(edge: str | None, passing: int, url: str = "memory://") -> tuple[Any, Any]:
    """Erase, with a worker that vanishes at this edge; the receipt and all that the store holds then."""
    async with life(url) as lived:
        saga = await lived.hub.erasures.ask(ANNA, reason="asked by mail", by="ana")
        if edge is not None:
            with pytest.raises(FailpointError):
                await runner(lived, f"{edge}=raise@{passing}").work()
            assert await lived.hub.erasures.receipt(saga.saga_id) is None
        for _ in range(20):
            lived.clock.advance(61)
            await runner(lived).work()
            receipt = await lived.hub.erasures.receipt(saga.saga_id)
            if receipt is not None:
                assert (await lived.hub.verification.run())["ok"]
                return receipt, await dump(lived.hub)
    raise AssertionError("it never ends")


USUAL: list[Any] = []


async def undisturbed() -> Any:
    """The receipt where nobody dies; made once."""
    if not USUAL:
        USUAL.append((await whole(None, 0))[0])
    return USUAL[0]


def same(receipt: Any) -> Any:
    """What an erasure has come to, its times and its number aside."""
    own = {"id", "asked_at", "finished_at", "sha256", "passes"}
    return {name: value for name, value in receipt.items() if name not in own}


@pytest.mark.parametrize(("edge", "passing"), EDGES)
async def test_an_erasure_ends_the_same_wherever_its_worker_dies(edge: str, passing: int) -> None:
    """Each step's intent, call and outcome; what is left is the same, and so is the receipt."""
    usual = await undisturbed()
    receipt, left = await whole(edge, passing)

    assert same(receipt) == same(usual)
    for table, rows in left.items():
        text = decoded(str(rows)).casefold()
        assert [needle for needle in needles() if needle.decode().casefold() in text] == [], table


class DyingError(Exception):
    """The process is gone."""


@pytest.mark.parametrize("at", range(1, 24, 2))
async def test_an_erasure_ends_the_same_whichever_of_its_transactions_was_the_last(
    at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every page is one, and says how far it came: dying before or after it is done loses and doubles nothing."""
    usual = await undisturbed()
    async with life("memory://") as lived:
        saga = await lived.hub.erasures.ask(ANNA, reason="asked by mail", by="ana")
        transact, count = type(lived.hub.database).transact, 0

        async def dying(self: Any, work: Any) -> Any:
            nonlocal count
            count += 1
            if count == at:
                raise DyingError
            done = await transact(self, work)
            if count == at + 1:
                raise DyingError
            return done

        monkeypatch.setattr(type(lived.hub.database), "transact", dying)
        receipt = None
        for _ in range(60):
            with contextlib.suppress(DyingError):
                await runner(lived).work()
            lived.clock.advance(61)
            receipt = await lived.hub.erasures.receipt(saga.saga_id)
            if receipt is not None:
                break
        monkeypatch.undo()

        assert count > at
        assert same(receipt) == same(usual)


async def test_an_erasure_awaits_an_order_that_is_being_placed() -> None:
    """It says for which; a person may end a parked one, and then it goes on."""
    async with life("memory://") as lived:
        hub = lived.hub
        open_saga = Saga.begun("order-99-1", PLACEMENT, {"v": 1, "customer": {"phone": ANNA}}, now=lived.clock.now())
        await hub.database.transact(lambda uow: uow.sagas.add(open_saga))
        saga = await hub.erasures.ask(ANNA, reason="", by="ana")
        for _ in range(3):
            await runner(lived).work()
            lived.clock.advance(61)
        waiting = await hub.erasures.state(saga.saga_id)
        assert "order-99-1" in str(waiting.log)
        assert await hub.erasures.receipt(saga.saga_id) is None

        def end(uow: UnitOfWork) -> None:
            held = uow.sagas.get("order-99-1", lock=True)
            assert held is not None
            uow.sagas.save(attrs.evolve(held, state=type(held.state)("completed")))

        await hub.database.transact(end)
        receipt = await lived.erase_asked(saga)

    assert receipt["tables"]["customer_profiles"]["deleted"] == 1


@attrs.define
class Shelf:
    """A place for files that keeps them where we can look."""

    kept: dict[str, bytes] = attrs.field(factory=dict)
    is_stuck: bool = True

    async def put(self, name: str, data: bytes) -> None:
        self.kept[name] = data

    async def get(self, name: str) -> bytes | None:
        return self.kept.get(name)

    async def forget(self, names: Iterable[str]) -> int:
        if self.is_stuck:
            raise AttachmentError(code="unforgotten")
        return sum(self.kept.pop(name, None) is not None for name in names)


@attrs.define
class Coupons:
    """The part of a shop that takes coupons back."""

    is_away: bool = True
    removed: list[str] = attrs.field(factory=list)

    async def remove_coupon(self, *, key: str) -> str:
        if self.is_away:
            raise ShopUnavailableError
        self.removed.append(key)
        return "removed"


async def test_files_and_coupons_go_with_the_person() -> None:
    """Their files from the store, unused coupons from the shop; somebody else's stay."""
    async with life("memory://") as lived:
        hub, shelf, coupons = lived.hub, Shelf(), Coupons()
        erasures = attrs.evolve(hub.erasures, store=shelf, shop=cast("Shop", coupons))
        stamp = str(unix(lived.clock.now()))
        for place, sender in enumerate((ANNA, BORIS)):
            picture = {"id": f"m{place}", "mime_type": "image/png"}
            await lived.post(
                delivery(
                    {"from": sender, "id": f"wamid.p{place}", "timestamp": stamp, "type": "image", "image": picture}
                )
            )
        await hub.worker.drain()
        now = lived.clock.now()

        def more(uow: UnitOfWork) -> list[str]:
            for place in range(2):
                row = uow.messages.by_wa_id(f"wamid.p{place}", lock=True)
                assert row is not None
                media = {**row.content["media"], "kept": f"file-{place}"}
                uow.messages.save(attrs.evolve(row, content=amended(row.content, media=media)))
            found = []
            for kind in (CampaignType.CART_REMINDER, CampaignType.LOYALTY_REWARD, CampaignType.WE_MISS_YOU):
                one = uow.reengagements.add(
                    Reengagement(customer_phone=ANNA, campaign_type=kind, created_at=now, sent_at=now)
                )
                found.append(str(one.id))
            return found

        cart, loyal, _ = await hub.database.transact(more)
        shelf.kept = {"file-0": MAIL.encode(), "file-1": b"his"}
        saga = await erasures.ask(ANNA, reason="", by="ana")
        worker = attrs.evolve(runner(lived), definitions={ERASURE: erasures.definition()})
        await worker.work()
        waiting = await erasures.state(saga.saga_id)
        assert "the shop, for its coupons" in str(waiting.log)
        assert shelf.kept.keys() == {"file-0", "file-1"}
        coupons.is_away = False
        lived.clock.advance(61)
        await worker.work()
        assert "the store of files" in str((await erasures.state(saga.saga_id)).log)
        shelf.is_stuck = False
        for _ in range(5):
            lived.clock.advance(61)
            await worker.work()
        receipt = await erasures.receipt(saga.saga_id)

    assert receipt is not None
    assert shelf.kept == {"file-1": b"his"}
    assert set(coupons.removed) == {f"recover-{cart}", f"loyal-{loyal}"}
    assert (receipt["media_files"], receipt["coupons"]) == (1, 2)
    assert receipt["outside"][0].startswith("shop orders ")


async def test_a_file_that_is_fetched_while_its_message_is_emptied_is_not_kept() -> None:
    """Its name is gone with the message, so nobody could find it later."""
    async with life("memory://") as lived:
        hub, shelf = lived.hub, Shelf(is_stuck=False)
        stamp = str(unix(lived.clock.now()))
        picture = {"id": "m", "mime_type": "image/png"}
        await lived.post(
            delivery({"from": ANNA, "id": "wamid.p", "timestamp": stamp, "type": "image", "image": picture})
        )
        await hub.worker.drain()
        row = await hub.database.read(lambda uow: uow.messages.by_wa_id("wamid.p"))
        assert row is not None

        class Slow:
            """The file comes when the person is gone."""

            async def fetch(self, media_id: str, *, sha256: str | None = None, most: int = 0) -> Attachment:
                assert (media_id, sha256) == ("m", None)
                assert most > 0
                await lived.erase()
                return Attachment(data=b"face", mime_type="image/png")

        await attrs.evolve(hub.attachments, files=cast("MediaFiles", Slow()), store=shelf).open(row.id)

        assert shelf.kept == {}


async def test_no_log_names_the_person(caplog: pytest.LogCaptureFixture) -> None:
    """Neither while they live here nor while they go, at any level."""
    caplog.set_level(logging.DEBUG)
    async with life("memory://") as lived:
        await lived.erase()
        for body in lived.old:
            await lived.post(body)

    logged = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    text = decoded(logged).casefold()
    assert [needle for needle in needles() if needle.decode().casefold() in text] == []


async def test_nothing_makes_a_profile_of_an_erased_person_but_their_own_words() -> None:
    """Neither a list with evidence nor an order of the shop: the result says so."""
    async with life("memory://") as lived:
        hub = lived.hub
        await lived.erase()
        await hub.database.transact(
            lambda uow: uow.options.put("template.offer.en", {"v": 1, "name": "offer", "language": "en"})
        )
        told = {"name": "x", "template": "offer", "audience": {"all": [{"upload": True}]}}
        csv = f"phone,opted_in_at,source\n{ANNA},2026-01-01T00:00:00Z,fair\n".encode()
        plan, upload = await hub.broadcasts.draft(told, by="ana", upload=csv)

        assert upload is not None
        assert upload.erased == [2]
        assert ANNA not in str(await hub.database.read(lambda uow: uow.recipients.listed(plan.id)))
        (order,) = (await hub.shop.changed_since(limit=100)).items[-1:]
        await hub.sync.enqueue(EntityType.ORDER, order.id, SyncAction.UPDATE, by="ana")
        await hub.worker.drain()
        assert await hub.customers.found(ANNA) == ()
        assert base64.b64encode(ANNA.encode()).decode()[:12] not in str(await dump(hub))


async def test_figures_are_the_same_before_and_after() -> None:
    """What campaigns and reminders brought does not shrink because somebody left."""
    async with life("memory://") as lived:
        hub, now = lived.hub, lived.clock.now()

        def brought(uow: UnitOfWork) -> None:
            row = uow.reengagements.add(
                Reengagement(customer_phone=ANNA, campaign_type=CampaignType.CART_REMINDER, created_at=now, sent_at=now)
            )
            held = uow.reengagements.get(row.id, lock=True)
            assert held is not None
            uow.reengagements.save(
                attrs.evolve(
                    held, converted=True, conversion_order_id=7, conversion_revenue=Decimal("59.90"), converted_at=now
                )
            )
            if uow.carts.of(BORIS) is None:
                uow.carts.add(Cart.opened(BORIS, now=now))

        await hub.database.transact(brought)
        before = await hub.database.read(lambda uow: [uow.recipients.counts(5), uow.recipients.counts(6)])
        revenue = [row["conversion_revenue"] for row in (await dump(hub))["reengagement"]]
        await lived.erase()
        after = await hub.database.read(lambda uow: [uow.recipients.counts(5), uow.recipients.counts(6)])

        assert [sum(one.values()) for one in before] == [sum(one.values()) for one in after]
        assert [row["conversion_revenue"] for row in (await dump(hub))["reengagement"]] == revenue
        assert {row["conversion_order_id"] for row in (await dump(hub))["reengagement"]} == {None}
