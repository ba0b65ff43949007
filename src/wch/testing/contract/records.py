"""Dead letters, sagas, options and the audit log."""

from functools import partial
from typing import Any

import attrs
import pytest

from wch.application.ports import Database, UnitOfWork
from wch.domain.audit import Actor, AuditEntry
from wch.domain.dead_letter import DeadLetterStatus
from wch.domain.errors import NotLockedError
from wch.domain.saga import SagaState
from wch.testing.contract.samples import later, letter, saga, write
from wch.testing.doubles import NOON


class TestDeadLetters:
    """`DeadLetterRepository`."""

    async def test_letters_are_listed_by_id(self, database: Database) -> None:
        """By status, hook and reason together, strictly after, so many."""
        a, b, c, d = await database.transact(
            write(
                letter(),
                letter(hook="saga"),
                letter(reason="crash"),
                letter(status=DeadLetterStatus.DISMISSED, dismissed_at=NOON),
            )
        )

        assert list(await database.read(lambda uow: uow.dead_letters.listed())) == [a, b, c, d]
        assert list(await database.read(lambda uow: uow.dead_letters.listed(after=a.id, limit=2))) == [b, c]
        assert list(await database.read(lambda uow: uow.dead_letters.listed(hook="saga"))) == [b]
        assert list(await database.read(lambda uow: uow.dead_letters.listed(reason="crash"))) == [c]
        pending = await database.read(
            lambda uow: uow.dead_letters.listed(
                status=DeadLetterStatus.PENDING, hook="messages.inbound", reason="exception"
            )
        )
        assert list(pending) == [a]

    async def test_letters_that_nobody_decided_about_are_held_by_their_hooks(self, database: Database) -> None:
        """Locked, by id; other hooks and decided ones stay out of it."""
        other, a, _, b = await database.transact(
            write(
                letter(hook="saga"),
                letter(hook="sync:order:1:update"),
                letter(hook="sync:order:1:update", status=DeadLetterStatus.DISMISSED, dismissed_at=NOON),
                letter(hook="sync:order:2:update"),
            )
        )

        def answer(uow: UnitOfWork) -> None:
            held = uow.dead_letters.hold_pending(["sync:order:2:update", "sync:order:1:update", "sync:order:3:update"])
            assert list(held) == [a, b]
            for one in held:
                uow.dead_letters.save(one.replayed(now=later(5), by="worker"))

        await database.transact(answer)

        pending = await database.read(lambda uow: uow.dead_letters.listed(status=DeadLetterStatus.PENDING))
        assert list(pending) == [other]

    async def test_letters_are_counted_by_status_hook_and_reason(self, database: Database) -> None:
        """What is not there is absent."""
        await database.transact(write(letter(), letter(), letter(hook="saga", status=DeadLetterStatus.REPLAYED)))

        assert await database.read(lambda uow: dict(uow.dead_letters.counts())) == {
            ("pending", "messages.inbound", "exception"): 2,
            ("replayed", "saga", "exception"): 1,
        }

    async def test_purging_never_takes_a_pending_letter(self, database: Database) -> None:
        """Decided before the moment, by when it was replayed or dismissed; it says how many."""
        old, new = later(-1), later(0)
        pending, _, _, kept, kept_too = await database.transact(
            write(
                letter(created_at=later(-9999)),
                letter(status=DeadLetterStatus.REPLAYED, replayed_at=old),
                letter(status=DeadLetterStatus.DISMISSED, dismissed_at=old),
                letter(status=DeadLetterStatus.REPLAYED, replayed_at=new),
                letter(status=DeadLetterStatus.DISMISSED, dismissed_at=new),
            )
        )

        assert await database.transact(lambda uow: uow.dead_letters.purge(decided_before=NOON)) == 2
        assert list(await database.read(lambda uow: uow.dead_letters.listed())) == [pending, kept, kept_too]


class TestSagas:
    """`SagaRepository`."""

    async def test_due_sagas_come_earliest_first(self, database: Database) -> None:
        """Running and compensating ones whose next look is at or before now, so many."""
        a, b, c, *_ = await database.transact(
            write(
                saga("a", updated_at=later(0)),
                saga("b", updated_at=later(-9), state=SagaState.COMPENSATING),
                saga("c", updated_at=later(-5)),
                saga("d", updated_at=later(1)),
                saga("e", updated_at=later(-9), state=SagaState.COMPLETED),
                saga("f", updated_at=later(-9), state=SagaState.FAILED),
            )
        )

        assert list(await database.transact(lambda uow: uow.sagas.take_due(NOON))) == [b, c, a]
        assert list(await database.transact(lambda uow: uow.sagas.take_due(NOON, limit=1))) == [b]

    async def test_due_sagas_are_locked(self, database: Database) -> None:
        """The lease is written in the transaction that took them."""
        (row,) = await database.transact(write(saga()))

        def take(uow: UnitOfWork, at: int) -> int:
            due = uow.sagas.take_due(later(at))
            for one in due:
                uow.sagas.save(one.leased("t" * 32, now=later(at)))
            return len(due)

        assert await database.transact(partial(take, at=0)) == 1
        assert await database.transact(partial(take, at=59)) == 0
        assert await database.transact(partial(take, at=60)) == 1
        found = await database.read(lambda uow: uow.sagas.get(row.saga_id))
        assert found is not None
        assert [entry["n"] for entry in found.log] == [1, 2]

    async def test_a_saga_that_stands_as_it_was_is_replaced(self, database: Database) -> None:
        """It counts as locked from then on."""
        (row,) = await database.transact(write(saga(context={"version": 1, "text": "Ünïcødé\n'\"%s"})))
        leased = row.leased("t" * 32, now=NOON)
        ended = leased.completed(now=later(5))

        def replace(uow: UnitOfWork) -> bool:
            replaced = uow.sagas.replace(row, leased)
            uow.sagas.save(ended)
            return replaced

        assert await database.transact(replace)
        assert await database.read(lambda uow: uow.sagas.get(row.saga_id)) == ended

    async def test_a_saga_that_is_as_it_was_may_be_replaced_by_itself(self, database: Database) -> None:
        """Nothing changes, and it is told that the row stands so."""
        (row,) = await database.transact(write(saga()))

        assert await database.transact(lambda uow: uow.sagas.replace(row, row))
        assert await database.read(lambda uow: uow.sagas.get(row.saga_id)) == row

    @pytest.mark.parametrize(
        "changed",
        [
            {"state": SagaState.COMPENSATING},
            {"context": {"version": 1, "name": "ANNA"}},
            {"context": {"version": 1, "name": "anna "}},
            {"context": {"version": 1, "name": "änna"}},
            {"log": ({"n": 1, "ev": "lease", "token": "T"},)},
            {"log": ()},
            {"updated_at": later(1)},
        ],
        ids=["state", "case", "blank", "accent", "token", "log", "look"],
    )
    async def test_a_saga_that_somebody_changed_is_left_as_it_is(
        self, database: Database, changed: dict[str, Any]
    ) -> None:
        """Whatever column it was, letter by letter; it is not locked by having been asked."""
        known = saga(context={"version": 1, "name": "anna"}, log=({"n": 1, "ev": "lease", "token": "t"},))
        stands = attrs.evolve(known, **changed)
        await database.transact(write(stands))

        def replace(uow: UnitOfWork) -> bool:
            replaced = uow.sagas.replace(known, known.signalled("x", {}, now=NOON))
            with pytest.raises(NotLockedError):
                uow.sagas.save(stands)
            return replaced

        assert not await database.transact(replace)
        assert await database.read(lambda uow: uow.sagas.get(stands.saga_id)) == stands

    async def test_a_saga_that_is_gone_is_not_replaced(self, database: Database) -> None:
        """Nothing is written in its place."""
        known = saga()

        assert not await database.transact(lambda uow: uow.sagas.replace(known, known.completed(now=NOON)))
        assert list(await database.read(lambda uow: uow.sagas.listed())) == []

    async def test_sagas_are_listed_by_id(self, database: Database) -> None:
        """By type, state and `context.outcome` together, strictly after, so many."""
        parked = {"version": 1, "outcome": "parked"}
        b, a, c = await database.transact(
            write(
                saga("b"),
                saga("a", state=SagaState.FAILED, context=parked),
                saga("c", saga_type="Refund", context={"version": 1, "outcome": {"not": "a word"}}),
            )
        )

        assert list(await database.read(lambda uow: uow.sagas.listed())) == [a, b, c]
        assert list(await database.read(lambda uow: uow.sagas.listed(after="a", limit=1))) == [b]
        assert list(await database.read(lambda uow: uow.sagas.listed(outcome="parked"))) == [a]
        assert list(await database.read(lambda uow: uow.sagas.listed(outcome="compensated"))) == []
        assert list(await database.read(lambda uow: uow.sagas.listed(saga_type="Refund"))) == [c]
        assert list(await database.read(lambda uow: uow.sagas.listed(state=SagaState.FAILED))) == [a]

    async def test_a_page_of_an_outcome_is_full_behind_others(self, database: Database) -> None:
        """Sagas with another outcome take no place in a page."""
        await database.transact(write(*(saga(f"a{place}") for place in range(7))))
        (last,) = await database.transact(write(saga("b", context={"version": 1, "outcome": "parked"})))

        assert list(await database.read(lambda uow: uow.sagas.listed(outcome="parked", limit=2))) == [last]


def _put(uow: UnitOfWork, number: int) -> None:
    uow.options.put("a", {"v": 1, "n": number})


class TestOptions:
    """`OptionRepository`."""

    async def test_a_document_is_written_whether_it_was_there_or_not(self, database: Database) -> None:
        """The last one stands."""
        for number in (1, 2):
            await database.transact(partial(_put, number=number))

        assert await database.read(lambda uow: uow.options.get("a")) == {"v": 1, "n": 2}
        assert await database.read(lambda uow: uow.options.get("b")) is None

    async def test_a_document_can_be_written_twice_in_one_transaction(self, database: Database) -> None:
        """And is seen there as it was left."""

        def work(uow: UnitOfWork) -> list[object]:
            uow.options.put("a", {"v": 1})
            uow.options.put("a", {"v": 1, "n": 2})
            seen: list[object] = [uow.options.get("a")]
            return [*seen, uow.options.remove("a"), uow.options.get("a"), uow.options.remove("a")]

        assert await database.transact(work) == [{"v": 1, "n": 2}, True, None, False]

    async def test_looking_ahead_changes_no_answer(self, database: Database) -> None:
        """Whether a document is there, is not, is written or removed: what is asked is answered as without."""
        await database.transact(partial(_put, number=1))

        def work(uow: UnitOfWork) -> list[object]:
            uow.options.look_ahead(["a", "b", "\0"])
            seen: list[object] = [uow.options.get("a"), uow.options.get("b"), uow.options.remove("b")]
            uow.options.put("b", {"v": 1})
            seen += [uow.options.get("b"), uow.options.remove("a"), uow.options.get("a")]
            uow.options.look_ahead(["a", "b"])
            return [*seen, uow.options.get("b"), uow.options.remove("a"), uow.options.get("\0")]

        answers = await database.transact(work)

        assert answers == [{"v": 1, "n": 1}, None, False, {"v": 1}, True, None, {"v": 1}, False, None]

    async def test_removing_says_whether_it_was_there(self, database: Database) -> None:
        """Letter for letter."""
        await database.transact(lambda uow: uow.options.put("a", {"v": 1}))

        assert await database.transact(lambda uow: uow.options.remove("A")) is False
        assert await database.transact(lambda uow: uow.options.remove("a")) is True
        assert await database.transact(lambda uow: uow.options.remove("a")) is False

    async def test_names_are_found_by_their_beginning(self, database: Database) -> None:
        """By name, strictly after, so many; wildcards, case and accents mean nothing special."""
        names = ["t.%", "t.a", "t.b", "t.B", "t_a", "T.a", "t.é", "t.\N{SMILING FACE WITH SUNGLASSES}", "t", "s.z"]

        def work(uow: UnitOfWork) -> None:
            for name in names:
                uow.options.put(name, {"v": 1, "of": name})

        await database.transact(work)

        found = await database.read(lambda uow: uow.options.named("t."))
        assert found == [(name, {"v": 1, "of": name}) for name in sorted(names) if name.startswith("t.")]
        page = await database.read(lambda uow: uow.options.named("t.", after="t.B", limit=2))
        assert [name for name, _ in page] == ["t.a", "t.b"]
        assert [name for name, _ in await database.read(lambda uow: uow.options.named("t.%"))] == ["t.%"]
        assert await database.read(lambda uow: uow.options.named("zz")) == []


class TestAudit:
    """`AuditRepository`."""

    async def test_lines_are_listed_by_id(self, database: Database) -> None:
        """By actor and action, letter by letter, strictly after, so many."""
        line = AuditEntry(at=NOON, actor="cli", action="saga.resume")
        a, b, c, d = await database.transact(
            write(
                line,
                attrs.evolve(line, actor="CLI"),
                attrs.evolve(line, action="saga.Resume"),
                attrs.evolve(line, at=later(-9)),
            )
        )

        assert list(await database.read(lambda uow: uow.audit.listed())) == [a, b, c, d]
        assert list(await database.read(lambda uow: uow.audit.listed(actor="cli"))) == [a, c, d]
        assert list(await database.read(lambda uow: uow.audit.listed(actor="cli", action="saga.resume"))) == [a, d]
        assert list(await database.read(lambda uow: uow.audit.listed(after=a.id, limit=1))) == [b]

    async def test_the_latest_lines_are_those_listed_the_other_way_round(self, database: Database) -> None:
        """By the same filters, by id and not by moment, strictly after, so many."""
        line = AuditEntry(at=NOON, actor="cli", action="saga.resume", object="saga:a")
        a, b, c, d = await database.transact(
            write(
                line,
                attrs.evolve(line, actor="ana"),
                attrs.evolve(line, object="saga:b"),
                attrs.evolve(line, at=later(-9)),
            )
        )

        assert list(await database.read(lambda uow: uow.audit.listed(newest_first=True))) == [d, c, b, a]
        assert list(
            await database.read(lambda uow: uow.audit.listed(newest_first=True, actor="cli", object="saga:a"))
        ) == [d, a]
        assert list(
            await database.read(
                lambda uow: uow.audit.listed(newest_first=True, action="saga.resume", since=NOON, limit=2)
            )
        ) == [
            c,
            b,
        ]
        assert list(await database.read(lambda uow: uow.audit.listed(newest_first=True, before=NOON))) == [d]
        assert list(await database.read(lambda uow: uow.audit.listed(after=c.id, newest_first=True))) == [b, a]

    async def test_lines_are_listed_by_what_was_done_to_and_when(self, database: Database) -> None:
        """What was done to letter by letter, neither folded nor padded; from a moment on, and before one."""
        line = AuditEntry(at=NOON, actor="cli", action="saga.resume", object="saga:a")
        a, _, _, d, _ = await database.transact(
            write(
                line,
                attrs.evolve(line, object="saga:A"),
                attrs.evolve(line, object="saga:a "),
                attrs.evolve(line, at=later(60)),
                attrs.evolve(line, object=None),
            )
        )

        assert list(await database.read(lambda uow: uow.audit.listed(object="saga:a"))) == [a, d]
        assert list(await database.read(lambda uow: uow.audit.listed(object="saga:a", since=later(60)))) == [d]
        assert list(await database.read(lambda uow: uow.audit.listed(object="saga:a", before=later(60)))) == [a]
        assert list(await database.read(lambda uow: uow.audit.listed(object="saga:a", after=a.id))) == [d]
        assert await database.read(lambda uow: uow.audit.listed(since=later(1), before=later(60))) == []

    async def test_who_acted_is_kept_with_their_role(self, database: Database) -> None:
        """The name comes with it, and is found by as any other."""
        (line,) = await database.transact(write(AuditEntry(at=NOON, actor=Actor("ana", "agent"), action="cart.expire")))

        (found,) = await database.read(lambda uow: uow.audit.listed(actor=Actor("ana", "admin")))

        assert found == line
        assert (found.actor, found.role, type(found.actor)) == ("ana", "agent", str)
