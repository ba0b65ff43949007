"""The tables counted, and what they do not agree on."""

import attrs

from wch.application.ports import Database, SilentSends, UnitOfWork
from wch.domain.conversation import ConversationStatus
from wch.domain.dead_letter import DeadLetter, DeadLetterStatus
from wch.domain.document import document
from wch.domain.message import MessageStatus
from wch.domain.notification import NotificationStatus
from wch.domain.product_view import ProductView
from wch.domain.saga import Saga, SagaState
from wch.domain.sync import EntityType, SyncAction, SyncStatus
from wch.testing.contract.samples import (
    HASH,
    PHONE,
    cart,
    contact,
    inbound,
    later,
    letter,
    notice,
    outbound,
    recipient,
    saga,
    thread,
    write,
)
from wch.testing.doubles import NOON

TABLES = {
    "conversations",
    "messages",
    "carts",
    "customer_profiles",
    "broadcast_recipients",
    "sync_queue",
    "notification_log",
    "product_views",
    "reengagement",
    "dead_letter_queue",
    "webhook_idempotency",
    "rate_limits",
    "circuit_breakers",
    "saga_state",
}


class TestCensus:
    """`Census`."""

    async def test_an_empty_store_has_fourteen_empty_tables(self, database: Database) -> None:
        """Each is named, none has a state."""
        assert await database.read(lambda uow: uow.census.states()) == {name: {} for name in TABLES}
        assert await database.read(lambda uow: uow.census.oldest_waiting()) == {}
        assert await database.read(lambda uow: uow.census.sagas()) == {}
        assert await database.read(lambda uow: uow.census.taken_over()) == 0
        assert list(await database.read(lambda uow: uow.census.miscounted())) == []
        assert list(await database.read(lambda uow: uow.census.dangling())) == []
        assert list(await database.read(lambda uow: uow.census.unknown_words())) == []

    async def test_sagas_are_counted_by_type_and_state(self, database: Database) -> None:
        """Both words stand in the key, as they stand in the row."""
        begun = [Saga.begun(f"{kind}-{n}", kind, {}, now=NOON) for kind, n in (("A", 1), ("A", 2), ("B", 3))]
        await database.transact(write(*begun[:2], begun[2].completed(now=NOON)))

        assert await database.read(lambda uow: uow.census.sagas()) == {("A", "running"): 2, ("B", "completed"): 1}

    async def test_sends_without_any_status_are_silent(self, database: Database) -> None:
        """Accepted in time and never spoken of again; what came further, failed, or waits is not."""

        def sent(wa_id: str | None, status: MessageStatus = MessageStatus.SENT, **content: object) -> object:
            row = outbound(None, status=status)
            told = document(**{**row.content, **content})
            return attrs.evolve(row, wa_message_id=wa_id, content=told)

        await database.transact(
            write(
                sent("wamid.a"),
                sent("wamid.b", own_times={"sent_at": "2026-03-02T12:00:00Z"}),
                sent("wamid.c", other_statuses=[{"status": "in_orbit"}]),
                sent("wamid.d", MessageStatus.DELIVERED),
                sent("wamid.e", MessageStatus.FAILED),
                sent("wamid.f", body={"type": "text", "text": {"body": '"own_times":'}}),
                sent(None, MessageStatus.PENDING),
                attrs.evolve(outbound(None, status=MessageStatus.SENT), type="foreign", wa_message_id="wamid.g"),
                inbound(None),
            )
        )

        found = await database.read(lambda uow: uow.census.silent_sends(NOON, later(1)))
        assert found == SilentSends(accepted=6, silent=2)
        for since, until in ((later(1), later(9)), (NOON, NOON)):
            none = await database.read(lambda uow, a=since, b=until: uow.census.silent_sends(a, b))  # type: ignore[misc]  # bound early
            assert none == SilentSends(accepted=0, silent=0)

    async def test_rows_are_counted_by_state(self, database: Database) -> None:
        """Messages by direction too; tables without a state by rows."""

        def work(uow: UnitOfWork) -> None:
            uow.sync.enqueue(EntityType.ORDER, 1, SyncAction.CREATE, now=NOON)
            uow.breakers.lock("shop", now=NOON)
            uow.customers.lock(PHONE, now=NOON)
            uow.claims.claim(HASH, "webhook", now=NOON, expires_at=later(9))
            uow.limits.lock(HASH, "api")
            write(
                thread(),
                thread(status=ConversationStatus.ESCALATED),
                inbound(None),
                inbound(None),
                inbound(None, status=MessageStatus.DEAD),
                outbound(None),
                cart(),
                recipient(),
                notice(),
                letter(),
                saga(),
                contact(),
                ProductView(customer_phone=PHONE, product_id=1, viewed_at=NOON),
            )(uow)

        await database.transact(work)

        assert await database.read(lambda uow: uow.census.states()) == {
            "conversations": {"active": 1, "escalated": 1},
            "messages": {"inbound:received": 2, "inbound:dead": 1, "outbound:pending": 1},
            "carts": {"active": 1},
            "customer_profiles": {"rows": 1},
            "broadcast_recipients": {"pending": 1},
            "sync_queue": {"pending": 1},
            "notification_log": {"pending": 1},
            "product_views": {"rows": 1},
            "reengagement": {"rows": 1},
            "dead_letter_queue": {"pending": 1},
            "webhook_idempotency": {"rows": 1},
            "rate_limits": {"rows": 1},
            "circuit_breakers": {"closed": 1},
            "saga_state": {"running": 1},
        }

    async def test_the_oldest_waiting_row_of_each_queue(self, database: Database) -> None:
        """When it was made; for sagas and notices the moment of the next look."""

        def work(uow: UnitOfWork) -> None:
            uow.sync.enqueue(EntityType.ORDER, 1, SyncAction.CREATE, now=later(-4))
            uow.sync.enqueue(EntityType.ORDER, 2, SyncAction.CREATE, now=later(-3))
            write(
                inbound(None, created_at=later(-1), updated_at=later(-99)),
                inbound(None, created_at=later(-99), status=MessageStatus.PROCESSED),
                outbound(None, created_at=later(-2)),
                outbound(None, created_at=later(-99), status=MessageStatus.SENT),
                notice(created_at=later(-99), updated_at=later(-5)),
                notice(updated_at=later(-99), status=NotificationStatus.SENT),
                saga("a", created_at=later(-99), updated_at=later(-6)),
                saga("b", updated_at=later(-7), state=SagaState.COMPENSATING),
                saga("c", updated_at=later(-99), state=SagaState.FAILED),
            )(uow)

        await database.transact(work)

        assert await database.read(lambda uow: uow.census.oldest_waiting()) == {
            "inbound": later(-1),
            "outbound": later(-2),
            "sync": later(-4),
            "notifications": later(-5),
            "sagas": later(-7),
        }

    async def test_rows_that_took_several_attempts_are_counted(self, database: Database) -> None:
        """Inbound ones, whatever became of them."""
        await database.transact(
            write(
                inbound(None, retry_count=1),
                inbound(None, retry_count=2, status=MessageStatus.PROCESSED),
                inbound(None, retry_count=3, status=MessageStatus.DEAD),
                outbound(None, retry_count=5),
            )
        )

        assert await database.read(lambda uow: uow.census.taken_over()) == 2

    async def test_a_wrong_count_is_found(self, database: Database) -> None:
        """Placeholders and imported history do not count, in either direction."""
        right, short, over, empty = await database.transact(
            write(thread(message_count=2), thread(message_count=1), thread(message_count=3), thread(message_count=1))
        )
        history = {"v": 1, "origin": {"by": "history"}}
        await database.transact(
            write(
                inbound(right.id),
                outbound(right.id),
                inbound(right.id, content=history, status=MessageStatus.PROCESSED),
                outbound(right.id, content=history, status=MessageStatus.SENT),
                outbound(right.id, type="foreign"),
                inbound(short.id, content={"v": 1, "origin": "odd"}),
                inbound(short.id),
                inbound(over.id),
                inbound(over.id),
            )
        )

        found = await database.read(lambda uow: uow.census.miscounted())

        assert [(one.table, one.row) for one in found] == [
            ("conversations", str(row.id)) for row in (short, over, empty)
        ]
        assert len(await database.read(lambda uow: uow.census.miscounted(limit=1))) == 1

    async def test_what_points_to_nothing_is_found(self, database: Database) -> None:
        """Gone conversations; ended work without a letter; pending letters about rows that are gone."""
        (kept,) = await database.transact(write(thread()))
        orphan, dead, told, fine = await database.transact(
            write(
                inbound(kept.id + 1000),
                inbound(kept.id, status=MessageStatus.DEAD),
                inbound(kept.id, status=MessageStatus.DEAD),
                inbound(kept.id),
            )
        )
        failed, failed_told = await database.transact(lambda uow: (_failed(uow, 1), _failed(uow, 2)))
        await database.transact(write(_about("messages", told.id), _about("sync_queue", failed_told)))
        gone, gone_saga, *_ = await database.transact(
            write(
                _about("messages", fine.id + 1000),
                _about("saga_state", "order-1-1"),
                _about("messages", fine.id),
                attrs.evolve(_about("messages", 1), status=DeadLetterStatus.REPLAYED, replayed_at=NOON),
                letter(args=document(body="AA==")),
            )
        )

        found = await database.read(lambda uow: uow.census.dangling())

        assert {(one.table, one.row) for one in found} == {
            ("messages", str(orphan.id)),
            ("messages", str(dead.id)),
            ("sync_queue", str(failed)),
            ("dead_letter_queue", str(gone.id)),
            ("dead_letter_queue", str(gone_saga.id)),
        }
        assert len(await database.read(lambda uow: uow.census.dangling(limit=2))) == 2

    async def test_a_letter_about_a_saga_that_is_there_is_no_finding(self, database: Database) -> None:
        """Letters name sagas by their id, other rows by number."""
        await database.transact(write(saga("order-1-1"), _about("saga_state", "order-1-1"), notice()))
        (told,) = await database.read(lambda uow: uow.notifications.listed())
        await database.transact(write(_about("notification_log", told.id)))

        assert list(await database.read(lambda uow: uow.census.dangling())) == []


def _about(table: str, row: int | str) -> DeadLetter:
    return letter(args=document(table=table, id=row))


def _failed(uow: UnitOfWork, number: int) -> int:
    task = uow.sync.enqueue(EntityType.PRODUCT, number, SyncAction.UPDATE, now=NOON)
    uow.sync.save(attrs.evolve(task, status=SyncStatus.FAILED))
    return task.id
