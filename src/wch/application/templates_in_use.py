"""Templates in use: whether those that notices, reminders and open campaigns are sent with may go."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from wch.application.campaigns import OPEN, all_of
from wch.application.ports import UnitOfWork
from wch.application.readings import Reading, Severity
from wch.application.stored_templates import languages_of
from wch.application.template_findings import drift
from wch.domain.document import JsonObject
from wch.domain.message_template import APPROVED, MessageTemplate

DELETED = "DELETED"
MOST_SHOWN = 5

Found = tuple[Severity, str]


def reading(uow: UnitOfWork, *, names: Iterable[str], written: Sequence[JsonObject]) -> Reading:
    """How they are; one that the account never had is in no use, since a text goes instead.

    Args:
        uow: the transaction.
        names: the templates of the settings' uses.
        written: what the shop has written down of its templates.
    """
    found = sorted(set(_found(uow, names, written)), key=lambda one: (-one[0], one[1]))
    worst = max((severity for severity, _ in found), default=Severity.OK)
    shown = [words for _, words in found[:MOST_SHOWN]]
    more = f" and {len(found) - MOST_SHOWN} more" if len(found) > MOST_SHOWN else ""
    return Reading(
        severity=worst,
        value=f"{', '.join(shown)}{more}" if found else "as they should be",
        limit="APPROVED, not YELLOW or RED, as written down",
        what_to_do="See `wch templates lint` for what is wrong with each; mend it with Meta, or use another.",
    )


def _found(uow: UnitOfWork, names: Iterable[str], written: Sequence[JsonObject]) -> Iterator[Found]:
    plans = [one.plan for one in all_of(uow) if one.progress.state in OPEN]
    planned: dict[str, list[Mapping[str, str]]] = {}
    for plan in plans:
        planned.setdefault(str(plan.template["name"]), []).append(plan.template.get("hashes", {}))
    for name in sorted({*names, *planned}):
        known = _present(languages_of(uow, name))
        if not known and name in planned:
            yield Severity.DEGRADED, f"{name} is not there"
        for language, template in known.items():
            called = f"{name}.{language}"
            yield from _of_one(called, template)
            if any(hashes.get(language, template.hash) != template.hash for hashes in planned.get(name, ())):
                yield Severity.DEGRADED, f"{called} was changed since a campaign was planned with it"
    yield from (
        (Severity.DEGRADED, f"{one.template}.{one.language} is not as written down") for one in drift(uow, written)
    )


def _present(known: Mapping[str, MessageTemplate]) -> Mapping[str, MessageTemplate]:
    """Without languages that were taken away on purpose; all of them, when none is left."""
    left = {language: one for language, one in known.items() if one.status.upper() != DELETED}
    return left or known


def _of_one(called: str, template: MessageTemplate) -> Iterator[Found]:
    status, quality = template.status.upper(), (template.quality or "").upper()
    if status not in APPROVED:
        yield Severity.DEGRADED, f"{called} is {status}"
    elif template.faulty:
        yield Severity.DEGRADED, f"{called} was refused when it was sent"
    if template.drift is not None:
        yield Severity.DEGRADED, f"{called} was changed in the account"
    if quality in {"YELLOW", "RED"}:
        yield Severity.WARNING if quality == "YELLOW" else Severity.DEGRADED, f"{called} is {quality}"
