"""Templates: fetched from the account, listed, shown as a customer would get them, and checked against their uses."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

import attrs

from wch.application.alarms import alarm
from wch.application.campaigns import all_of
from wch.application.known_templates import WANTED
from wch.application.ports import Clock, Database, TemplateSource, UnitOfWork
from wch.application.stored_templates import SYNCED, fitting, languages_of, stored, values_of
from wch.application.template_findings import Lint, Saying, drift
from wch.domain.audit import AuditEntry
from wch.domain.campaign import CampaignState, Plan
from wch.domain.document import JsonObject, amended, document
from wch.domain.errors import NotFoundError
from wch.domain.message_template import PREFIX, MessageTemplate, Rendering, TemplatesUnavailableError, option_of
from wch.domain.moment import iso, of_iso
from wch.domain.notification import LONGEST_TEMPLATE_NAME

log = logging.getLogger(__name__)

AGAIN_AFTER = timedelta(minutes=1)
"""How soon an account that did not answer is asked again."""

MOST_PAGES = 100
LONGEST: Mapping[str, int] = {"HEADER": 60, "BODY": 1024, "FOOTER": 60}
SAMPLE = {"customer_name": "Ana", "first_name": "Ana"}
CAMPAIGNS = ("reminder", "back_in_stock", "price_drop", "loyalty_reward", "new_arrivals", "we_miss_you")
"""Uses whose templates are marketing; every other use is an order notice."""


@attrs.frozen(kw_only=True)
class Templates:
    """The duty that fetches templates, and what people ask about them.

    Attributes:
        source: the account; None where the host's WhatsApp has none.
        account: its id.
        uses: the template of each use, from the settings.
        variables: what each use fills a template's body with, in order, where that is known.
        every: how often they are fetched.
        language: the shop's.
        written: what the shop has written down of its templates; asked for when they are checked.
    """

    kind: ClassVar[str] = "templates"

    database: Database
    clock: Clock
    source: TemplateSource | None
    account: str
    uses: Mapping[str, str]
    variables: Mapping[str, Sequence[str]]
    every: timedelta
    language: str
    written: Callable[[], Sequence[JsonObject]]

    async def work(self) -> int:
        """Fetch them once a day, and when WhatsApp told of a change; where it cannot be done, again later."""
        if self.source is None or not self.account:
            return 0
        now = self.clock.now()
        if not await self.database.transact(lambda uow: self._is_due(uow, now)):
            return 0
        try:
            return int((await self.sync())["seen"])
        except TemplatesUnavailableError as error:
            log.warning("templates cannot be fetched: %s", error.facts.get("why"))
            await self.database.transact(lambda uow: self._again_soon(uow, now))
            return 0

    def _is_due(self, uow: UnitOfWork, now: datetime) -> bool:
        """Once for all processes; asking for it counts as having done so until the next hour."""
        synced = uow.options.get(SYNCED, lock=True)
        wanted = uow.options.remove(WANTED)
        tried = None if synced is None else of_iso(str(synced.get("tried_at", synced.get("at"))))
        if tried is not None and not wanted and now < tried + self.every:
            return False
        uow.options.put(SYNCED, document(**{**(synced or {}), "tried_at": iso(now)}))
        return True

    def _again_soon(self, uow: UnitOfWork, now: datetime) -> None:
        """The account did not answer: it is asked again in a minute."""
        synced = uow.options.get(SYNCED, lock=True) or document()
        uow.options.put(SYNCED, document(**{**synced, "tried_at": iso(now - self.every + AGAIN_AFTER)}))

    async def sync(self, *, by: str | None = None) -> JsonObject:
        """Fetch all pages; one that is missing from a whole fetch is DELETED, one that breaks off changes what it saw.

        Args:
            by: who asked for it, for the audit log; None when it was due.

        Raises:
            TemplatesUnavailableError: there is no account to ask, or it did not answer.
        """
        if self.source is None or not self.account:
            raise TemplatesUnavailableError(
                "There is no account to ask for templates: set WCH_WABA_ID and WCH_ACCESS_TOKEN.", why="no account"
            )
        seen: set[str] = set()
        changed = 0
        after: str | None = None
        for _ in range(MOST_PAGES):
            page = await self.source.message_templates(self.account, after=after)
            changed += await self.database.transact(lambda uow, page=page: self._keep(uow, page.templates, seen))  # type: ignore[misc]  # bound early
            after = page.next
            if after is None:
                break
        gone = await self.database.transact(lambda uow: self._missing(uow, seen, by))
        return {"seen": len(seen), "changed": changed, "deleted": gone}

    def _keep(self, uow: UnitOfWork, page: Sequence[JsonObject], seen: set[str]) -> int:
        now = self.clock.now()
        changed = 0
        for told in page:
            template = MessageTemplate.of_graph(told, seen_at=iso(now))
            option = option_of(template.name, template.language)
            before = uow.options.get(option)
            known = None if before is None else MessageTemplate.of_json(before)
            if known is not None and known.category not in {template.category, "MARKETING"}:
                about = f"template:{template.name}.{template.language}"[:255]
                alarm(uow, f"template_became_{template.category.lower()}", now=now, about=about)
            changed += known is None or attrs.evolve(known, seen_at=template.seen_at) != template
            told_anew = None if template.may_be_sent else (before or {}).get("faulty")
            uow.options.put(option, amended(before or {}, **{**template.to_json(), "faulty": told_anew, "drift": None}))
            seen.add(option)
        return changed

    def _missing(self, uow: UnitOfWork, seen: set[str], by: str | None) -> int:
        gone = 0
        after = PREFIX
        while page := uow.options.named(PREFIX, after=after, limit=200):
            after = page[-1][0]
            for name, value in page:
                if name not in seen and value.get("status") != "DELETED":
                    uow.options.put(name, document(**{**value, "status": "DELETED"}))
                    gone += 1
        now = self.clock.now()
        uow.options.put(SYNCED, document(at=iso(now), tried_at=iso(now), seen=len(seen)))
        if by is not None:
            uow.audit.add(AuditEntry(at=now, actor=by, action="template.sync"))
        return gone

    async def listed(self) -> Sequence[MessageTemplate]:
        """Every template that was ever seen, by name and language."""

        def look(uow: UnitOfWork) -> list[MessageTemplate]:
            found: list[MessageTemplate] = []
            after = PREFIX
            while page := uow.options.named(PREFIX, after=after, limit=200):
                after = page[-1][0]
                found += [MessageTemplate.of_json(value) for _, value in page]
            return sorted(found, key=lambda one: (one.name, one.language))

        return await self.database.read(look)

    async def preview(
        self, name: str, *, params: JsonObject, language: str | None = None, phone: str | None = None
    ) -> tuple[MessageTemplate, Rendering]:
        """The template with sample values, or as one customer would get it.

        Raises:
            NotFoundError: there is no approved template that fits, or no such customer.
        """

        def look(uow: UnitOfWork) -> tuple[MessageTemplate, Rendering]:
            profile = None if phone is None else uow.customers.of(phone)
            if phone is not None and profile is None:
                raise NotFoundError(kind="customer")
            wanted = language or (profile.language if profile else None) or self.language
            exact = stored(uow, name, wanted)
            template = exact or fitting(languages_of(uow, name), wanted, self.language)
            if template is None:
                raise NotFoundError(
                    "No approved template of this name is known; fetch them with `wch templates sync`.", id=name
                )
            values = SAMPLE if profile is None else values_of(profile)
            return template, template.rendered(params or _sampled(template), values)

        return await self.database.read(look)

    async def lint(self) -> Sequence[Lint]:
        """Everything that is wrong with a template in use; nothing is fetched."""

        def look(uow: UnitOfWork) -> list[Lint]:
            found: list[Lint] = []
            for use, name in self.uses.items():
                found += self._lint_use(uow, use, name)
            for campaign in all_of(uow):
                if campaign.progress.state in {CampaignState.DRAFT, CampaignState.SCHEDULED, CampaignState.PAUSED}:
                    found += self._lint_plan(uow, campaign.plan)
            return [*found, *drift(uow, written)]

        written = self.written()
        return await self.database.read(look)

    def _lint_use(self, uow: UnitOfWork, use: str, name: str) -> list[Lint]:
        known = languages_of(uow, name)
        say = Saying(use=use, template=name)
        is_campaign = use.startswith(CAMPAIGNS)
        if len(name) > LONGEST_TEMPLATE_NAME and not is_campaign:
            say.error("*", f"the name has {len(name)} characters", f"notices keep {LONGEST_TEMPLATE_NAME}: rename it")
        if not known:
            say.error("*", "it is not known", "have it approved, then run `wch templates sync`")
        elif fitting(known, self.language, self.language) is None and any(one.may_be_sent for one in known.values()):
            say.error(self.language, "no approved form fits the shop's language", "have one approved in it")
        for language, template in sorted(known.items()):
            self._lint_one(say, language, template, is_campaign=is_campaign)
            wanted = self.variables.get(use)
            if wanted is not None:
                gaps = template.gaps("BODY")
                fits = set(gaps) <= set(wanted) if template.parameter_format == "NAMED" else len(gaps) <= len(wanted)
                if not fits:
                    say.error(
                        language,
                        f"its body has the gaps {', '.join(gaps) or 'none'}, the use fills {', '.join(wanted)}",
                        "change the template, or the use's template in the settings",
                    )
        return say.found

    def _lint_plan(self, uow: UnitOfWork, plan: Plan) -> list[Lint]:
        name = str(plan.template["name"])
        known = languages_of(uow, name)
        say = Saying(use=f"campaign:{plan.id}", template=name)
        if fitting(known, self.language, self.language) is None:
            say.error(self.language, "no approved form fits the shop's language", "have one approved, or plan another")
        hashes: Mapping[str, str] = plan.template.get("hashes", {})
        for language, template in sorted(known.items()):
            self._lint_one(say, language, template, is_campaign=True)
            if language in hashes and template.hash != hashes[language]:
                say.error(language, "it was changed since the plan was made", "plan the campaign anew")
            missing = template.rendered(plan.params, SAMPLE).missing
            if missing:
                say.error(language, f"nothing fills {', '.join(missing)}", "add a variable or a text to the plan")
            bare = [one for one in template.rendered(plan.params, {}).missing if one not in missing]
            if bare:
                say.warning(language, f"{', '.join(bare)} has no fallback", "customers without a value are skipped")
        return say.found

    def _lint_one(self, say: "Saying", language: str, template: MessageTemplate, *, is_campaign: bool) -> None:
        """What is asked of every template."""
        if not template.may_be_sent:
            why = f": {template.reason}" if template.reason else ""
            say.error(language, f"WhatsApp says {template.status}{why}", "mend it in the account, or use another")
        if template.category == "MARKETING" and not is_campaign:
            say.error(language, "it is MARKETING, and the use is a notice", "a notice takes a UTILITY template")
        if is_campaign and template.category == "MARKETING" and not _has_a_way_out(template):
            say.warning(language, "it has no footer and no button to opt out by", "add one: fewer people block you")
        for kind, most in LONGEST.items():
            text = str(template.component(kind).get("text", ""))
            if len(text) > most:
                say.error(language, f"its {kind.lower()} has {len(text)} characters", f"WhatsApp takes {most}")


def _has_a_way_out(template: MessageTemplate) -> bool:
    return bool(template.component("FOOTER")) or any(
        str(one.get("type", "")).upper() == "QUICK_REPLY" for one in template.buttons
    )


def _sampled(template: MessageTemplate) -> JsonObject:
    """Something for every gap."""
    return {"body": [{"name": gap, "text": f"[{gap}]"} for gap in template.gaps("BODY")]}
