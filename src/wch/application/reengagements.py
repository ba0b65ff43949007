"""Re-engagement: the duty that finds occasions, the contacts that come of them, and what people ask about both."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar

import attrs

from wch.application.causes import caused
from wch.application.coupons import Offered
from wch.application.failpoints import Failpoints
from wch.application.faults import fault
from wch.application.housekeeping import Every
from wch.application.kept_figures import figures_of
from wch.application.occasions import Candidate, Occasions
from wch.application.ports import Clock, Database, Shop, UnitOfWork
from wch.application.reengagement_figures import KindFigures, RunReport
from wch.application.reengaging import REF, Reengaging, kinds_of
from wch.application.speaking import Speaker
from wch.domain.audit import AuditEntry
from wch.domain.catalogue import Arrival, Product
from wch.domain.coupon import CouponSpec
from wch.domain.customer import CustomerProfile
from wch.domain.document import amended, document
from wch.domain.errors import StoreMisusedError, StoreUnavailableError
from wch.domain.evolution import evolve
from wch.domain.message import Class
from wch.domain.message_template import Rendering
from wch.domain.moment import SECOND, iso, of_iso
from wch.domain.occasion import KINDS, Occasion
from wch.domain.reengagement import CampaignType, Reengagement
from wch.domain.shop_error import KeyReusedError, ShopRefusedError, ShopUnavailableError
from wch.domain.verdict import Says, Verdict

log = logging.getLogger(__name__)

CURSOR = "reengagement.cursor"
"""The option that remembers up to when facts, and mornings, were looked at."""

PAGE = 100
LOOKED_AT_EVERY = timedelta(minutes=10)
_LONGEST = timedelta(days=1)
"""What changed while no worker ran for longer is no news any more."""


@attrs.frozen(kw_only=True)
class Reward:
    """The coupon of a loyal customer.

    Attributes:
        percent: off.
        lasts: how long it is good for.
    """

    percent: Decimal = Decimal(15)
    lasts: timedelta = timedelta(days=7)


def _heard(_report: RunReport) -> None:
    """Nobody wants to know how far it is."""


@attrs.frozen(kw_only=True)
class Reengagements:
    """Finds occasions, and says one thing to a customer at a time.

    Attributes:
        rest: how long the duty rests between two looks.
    """

    kind: ClassVar[str] = "reengagement"

    database: Database
    clock: Clock
    shop: Shop
    speaker: Speaker
    reengaging: Reengaging
    failpoints: Failpoints
    occasions: Occasions
    reward: Reward
    rest: Every

    async def work(self) -> int:
        """Find what there is occasion for, when it is time to look, and send what may leave."""
        if not self.reengaging.enabled or self.rest():
            return 0
        now = self.clock.now()
        done = 0
        before = await self._looked_at(now)
        if now >= before + LOOKED_AT_EVERY:
            report = RunReport()
            try:
                await self._find(report, since=max(before, now - _LONGEST), now=now)
            except ShopUnavailableError:
                return await self._send()
            done = sum(report.planned.values())
            await self.database.transact(lambda uow: uow.options.put(CURSOR, document(at=iso(now))))
        return done + await self._send()

    async def _looked_at(self, now: datetime) -> datetime:
        """Up to when facts and mornings were looked at; the first look of all goes back as far as any."""
        known = await self.database.read(lambda uow: uow.options.get(CURSOR))
        if known is not None:
            return of_iso(str(known["at"]))
        since = now - LOOKED_AT_EVERY
        await self.database.transact(lambda uow: uow.options.put(CURSOR, document(at=iso(since))))
        return since

    # --- finding

    async def run(
        self,
        *,
        dry_run: bool = False,
        kinds: Sequence[str] = (),
        tell: Callable[[RunReport], None] = _heard,
        by: str = "host",
    ) -> RunReport:
        """Look for every occasion now, whatever the hour; what is found leaves by the same rules as ever.

        Args:
            dry_run: find and decide by the same code, and write nothing.
            kinds: these alone; all where none is named.
            tell: hears of the report while it grows.
            by: who asked for it; the audit log has that before the first contact is written.

        Raises:
            ShopUnavailableError: the shop cannot be asked now.
        """
        report = RunReport()
        now = self.clock.now()
        since = now - self.reengaging.terms.view_counts_for
        asked = kinds_of(kinds)
        if not dry_run:
            entry = AuditEntry(at=now, actor=by, action="reengagement.run", detail=document(kinds=list(asked)))
            await self.database.transact(lambda uow: uow.audit.add(entry))
        await self._find(report, since=since, now=now, everybody=True, write=not dry_run, kinds=asked, tell=tell)
        if not dry_run:
            await self._send()
        return report

    async def _find(
        self,
        report: RunReport,
        *,
        since: datetime,
        now: datetime,
        everybody: bool = False,
        write: bool = True,
        kinds: tuple[CampaignType, ...] = KINDS,
        tell: Callable[[RunReport], None] = _heard,
    ) -> None:
        """Decide about every candidate, one transaction each; a customer gets one contact a run at most."""
        got: set[str] = set()
        async for candidate in self.occasions.candidates(kinds, since=since, now=now, everybody=everybody):
            if candidate.phone in got:
                continue
            run = self.database.transact if write else self.database.read
            kind, verdict = await run(lambda uow, one=candidate: self._decide(uow, one, now, write=write))  # type: ignore[misc]  # bound early
            self.failpoints("reengagement.planned")
            report.looked_at += 1
            if verdict.outcome == "refuse":
                report.refused[verdict.reason or ""] += 1
            else:
                got.add(candidate.phone)
                report.planned[kind.value] += 1
                report.held += verdict.outcome == "hold"
            tell(report)

    def _decide(
        self, uow: UnitOfWork, candidate: Candidate, now: datetime, *, write: bool
    ) -> tuple[CampaignType, Verdict]:
        """The first kind that there is occasion for, and what the rules say to it; allowed or held, it is begun."""
        profile = uow.customers.lock(candidate.phone, now=now) if write else uow.customers.of(candidate.phone)
        if profile is None:
            raise StoreMisusedError  # pragma: no cover - whoever is a candidate was read from there
        product = candidate.product
        number = None if product is None else product.id
        told = []
        for one in candidate.kinds:
            occasion = self.reengaging.occasion(
                uow, profile, one, now=now, product_id=number, arrivals=candidate.arrivals
            )
            told.append((one, self._asked(uow, profile, occasion, product, now=now)))
        kind, verdict = next((one for one in told if one[1].answer("subject").says is Says.ALLOW), told[-1])
        if write and verdict.outcome != "refuse":
            uow.reengagements.add(
                Reengagement(
                    customer_phone=profile.phone,
                    campaign_type=kind,
                    product_id=number,
                    created_at=now,
                )
            )
        return kind, verdict

    def _asked(
        self,
        uow: UnitOfWork,
        profile: CustomerProfile,
        occasion: Occasion | str,
        product: Product | None,
        *,
        now: datetime,
        row: Reengagement | None = None,
    ) -> Verdict:
        """As far as it can be told without asking the shop for a coupon."""
        promised = Offered(code="LOYAL", discount=self.reward.percent, ends_at=now + self.reward.lasts)
        rendering = (
            Rendering(template=None)
            if isinstance(occasion, str)
            else self.reengaging.rendering(uow, profile, occasion, product_name=_name(product), coupon=promised)
        )
        return self.reengaging.verdict(uow, profile, occasion, rendering, now=now, row=row)

    # --- sending

    async def _send(self) -> int:
        """Everything that waits and may leave now; what is held is looked at again."""
        done = after = 0
        arrivals: list[Arrival] = []
        since = self.clock.now() - self.reengaging.terms.life
        while page := await self.database.read(
            lambda uow, after=after: uow.reengagements.waiting(since=since, after=after, limit=PAGE)  # type: ignore[misc]  # bound early
        ):
            after = page[-1].id
            for row in page:
                if row.campaign_type is CampaignType.NEW_ARRIVALS and not arrivals:
                    try:
                        arrivals += await self.occasions.arrivals()
                    except ShopUnavailableError:
                        continue
                done += await self._safely(row, arrivals)
        return done

    async def _safely(self, row: Reengagement, arrivals: Sequence[Arrival]) -> int:
        """One contact never stops the others."""
        try:
            return int(await self._leave(row, arrivals))
        except StoreUnavailableError:
            raise
        except ShopUnavailableError:
            return 0
        except Exception as error:  # noqa: BLE001 - the others are written to
            log.error("a re-engagement failed: %s", fault(error), extra={"reengagement_id": row.id})  # noqa: TRY400 - no words of an error in a log
            return 0

    async def _leave(self, seen: Reengagement, arrivals: Sequence[Arrival]) -> bool:
        product = None
        if seen.product_id is not None:
            product = await self.occasions.sold(seen.product_id)
            if product is None:
                return False

        def may(uow: UnitOfWork) -> bool:
            now = self.clock.now()
            profile = uow.customers.of(seen.customer_phone)
            if profile is None or self._was_written(uow, seen):
                return False
            occasion = self._occasion(uow, profile, seen, arrivals, now)
            return self._asked(uow, profile, occasion, product, now=now, row=seen).outcome == "send"

        if not await self.database.read(may):
            return False
        coupon = await self._coupon(seen)
        self.failpoints("reengagement.coupon")
        return await self.database.transact(lambda uow: self._take(uow, seen, product, arrivals, coupon))

    def _occasion(
        self,
        uow: UnitOfWork,
        profile: CustomerProfile,
        row: Reengagement,
        arrivals: Sequence[Arrival],
        now: datetime,
    ) -> Occasion | str:
        return self.reengaging.occasion(
            uow, profile, row.campaign_type, now=now, product_id=row.product_id, arrivals=arrivals
        )

    def _was_written(self, uow: UnitOfWork, row: Reengagement) -> bool:
        """Whether a message of this contact is there, even one that failed: it is never written twice."""
        rows = caused(uow, row.customer_phone, f"{REF}:{row.id}", since=row.created_at)
        return bool(rows) or figures_of(uow, "reengagement", row.id).written

    async def _coupon(self, row: Reengagement) -> Offered | None:
        """One coupon for each loyalty reward, made in the shop under a key that is known beforehand."""
        if row.campaign_type is not CampaignType.LOYALTY_REWARD:
            return None
        ends_at = row.created_at + self.reengaging.terms.life + self.reward.lasts
        spec = CouponSpec(prefix="LOYAL", percent=self.reward.percent, expires_at=ends_at)
        try:
            made = await self.shop.create_coupon(key=f"loyal-{row.id}", spec=spec)
        except (ShopRefusedError, KeyReusedError):
            return None
        return Offered(code=made.code, discount=self.reward.percent, ends_at=ends_at)

    def _take(
        self,
        uow: UnitOfWork,
        seen: Reengagement,
        product: Product | None,
        arrivals: Sequence[Arrival],
        coupon: Offered | None,
    ) -> bool:
        """Contact and message: both or neither, under the customer's lock."""
        now = self.clock.now()
        profile = uow.customers.lock(seen.customer_phone, now=now)
        thread = self.speaker.thread(uow, profile, now=now)
        contact = uow.reengagements.get(seen.id, lock=True)
        if contact is None or contact.sent_at is not None or self._was_written(uow, contact):
            return False
        occasion = self._occasion(uow, profile, contact, arrivals, now)
        if isinstance(occasion, str):
            return False
        rendering = self.reengaging.rendering(uow, profile, occasion, product_name=_name(product), coupon=coupon)
        verdict = self.reengaging.verdict(uow, profile, occasion, rendering, now=now, row=contact)
        if verdict.outcome != "send" or rendering is None or rendering.template is None:
            return False
        uow.reengagements.save(contact.sent(now=now))
        counted, row = self.speaker.say(
            uow,
            thread,
            rendering.template,
            profile=profile,
            class_=Class.CAMPAIGN,
            origin={"by": "reengagement", "ref": f"{REF}:{contact.id}", "kind": contact.campaign_type.value},
            now=now,
            lives=max(contact.created_at + self.reengaging.terms.life - now, SECOND),
        )
        uow.messages.save(evolve(row, content=amended(row.content, policy={"planned": verdict.to_json()})))
        uow.conversations.save(counted)
        return True

    # --- for people

    async def report(self, *, since: datetime, until: datetime | None = None) -> tuple[KindFigures, ...]:
        """What the contacts begun in this time came to, a line for each kind that has any, reminders of carts too."""
        now = self.clock.now()
        end = until or now
        lines: dict[CampaignType, KindFigures] = {}
        after = 0
        while page := await self.database.read(
            lambda uow, after=after: [  # type: ignore[misc]  # bound early
                (row, row.sent_at is None and self._was_written(uow, row))
                for row in uow.reengagements.listed(since=since, after=after, limit=PAGE)
            ]
        ):
            after = page[-1][0].id
            for row, failed in page:
                if row.created_at <= end:
                    line = lines.get(row.campaign_type) or KindFigures(kind=row.campaign_type)
                    lines[row.campaign_type] = line.with_(row, failed=failed, lives=self.reengaging.terms.life, now=now)
        return tuple(lines[kind] for kind in CampaignType if kind in lines)


def _name(product: Product | None) -> str | None:
    return None if product is None else product.name
