"""What follows when a message will not arrive: the same for an answer of Graph's and for a `failed` status."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from wch.application import known_templates, stops, windows
from wch.application.alarms import alarm
from wch.application.following import laid_aside, sent_again
from wch.application.payments import look_later
from wch.application.ports import UnitOfWork
from wch.application.sent_files import is_held
from wch.application.texts import LANGUAGES, Texts, country_of_number
from wch.domain.attachment import UPLOADED
from wch.domain.conversation import Conversation
from wch.domain.dead_letter import DeadLetter, Hook, Reason
from wch.domain.document import JsonObject, amended, document
from wch.domain.erasure import is_erased
from wch.domain.evolution import evolve
from wch.domain.message import Class, Message, MessageStatus
from wch.domain.moment import iso
from wch.domain.send_failure import FailureClass

MOST_GENERATIONS = 2
"""A message that failed after it was accepted is written anew so often at most."""

HOLD = timedelta(hours=24)
UNREACHABLE_AFTER = 3
UNREACHABLE_FOR = timedelta(days=30)

NUMBER_CODES = frozenset({33, 131037, 131045, 133010, 134011})
"""The number cannot send as it is set up; others may."""

PAID_MEANWHILE = 2047
"""An order cannot be called off inside WhatsApp: it was paid in this very moment."""

NO_TEMPLATES = 131042
"""Nothing that costs is sent: the account's payment is in arrears."""

NOT_THIS_COUNTRY = 130497
NEEDS_NUMBER = 131062

TEMPLATE_STATUS: Mapping[int, str] = {132015: "PAUSED", 132016: "DISABLED"}
"""What a refusal says of a template's state; of any other code: that it is faulty."""

UNDELIVERABLE = 131026
_BURIED: Mapping[FailureClass, Reason] = {
    FailureClass.REQUEST: Reason.REQUEST_REFUSED,
    FailureClass.UNKNOWN: Reason.UNKNOWN_CODE,
}
NOT_THIS_CAMPAIGN = 130472


def follow(
    uow: UnitOfWork, row: Message, failure: FailureClass, *, code: int | None, now: datetime, by_status: bool
) -> None:
    """Do what a failure of this class asks for, once, in the transaction that writes it down.

    Args:
        uow: the transaction; it holds the locks of the customer's profile and of the row.
        row: the message, failed.
        failure: the class of the code.
        code: Graph's code.
        now: the moment.
        by_status: whether it had been accepted before, and a status told of the failure.
    """
    conversation = None if row.conversation_id is None else uow.conversations.get(row.conversation_id, lock=True)
    if code == PAID_MEANWHILE and _look_for_money(uow, row, now=now):
        return
    fresh: Message | None = None
    if failure in {FailureClass.SIGN_IN, FailureClass.ACCOUNT, FailureClass.SPAM}:
        phone = None if conversation is None else conversation.customer_phone
        stop_after(uow, failure, code, number=str(row.content.get("number") or ""), phone=phone, now=now)
    elif failure is FailureClass.TEMPLATE:
        _mark_template(uow, row, code, now=now)
        fresh = _say_plainly(uow, row, conversation, now=now)
    elif failure is FailureClass.MEDIA:
        _forget_upload(uow, row)
        fresh = _upload_again(uow, row, conversation, now=now)
    elif code == NEEDS_NUMBER and conversation is not None:
        fresh = _ask_for_number(uow, row, conversation, now=now)
    elif failure is FailureClass.WINDOW and conversation is not None:
        context = amended(conversation.context, window_closed_at=iso(now))
        conversation = conversation.remembering(context, now=now)
        uow.conversations.save(conversation)
        fresh = fall_back(uow, row, conversation, now=now)
    elif by_status and failure in {FailureClass.RETRY, FailureClass.WAIT_NUMBER, FailureClass.WAIT_PAIR}:
        fresh = say_again(uow, row, conversation, now=now)
    _write_off(uow, row, failure, fresh, code=code, now=now)
    if conversation is not None:
        _remember_customer(uow, conversation.customer_phone, failure, code=code, now=now)


def _write_off(
    uow: UnitOfWork, row: Message, failure: FailureClass, fresh: Message | None, *, code: int | None, now: datetime
) -> None:
    """The dead letter of what a person has to look at, and of a notice that nothing else will tell."""
    if failure is FailureClass.UNKNOWN:
        alarm(uow, "unknown_code", now=now, about=f"message:{row.id}", code=code)
    reason = _BURIED.get(failure)
    if reason is not None:
        bury(uow, row, reason, now=now)
    elif fresh is None:
        laid_aside(uow, row, Reason.REFUSED, now=now)


def _look_for_money(uow: UnitOfWork, row: Message, *, now: datetime) -> bool:
    """Have the payment looked at that a message about a placement came too late for; False if it is about none."""
    kind, _, saga_id = str(row.content.get("origin", {}).get("ref", "")).partition(":")
    if kind != "saga":
        return False
    look_later(uow, saga_id, at=now)
    return True


def stop_after(
    uow: UnitOfWork, failure: FailureClass, code: int | None, *, number: str, phone: str | None, now: datetime
) -> None:
    """Stop what this refusal says cannot be sent: campaigns, templates, a number, a country, or everything."""
    if failure is FailureClass.SPAM:
        stops.stop_campaigns(uow, failure.value, code, now=now)
    elif code == NO_TEMPLATES:
        stops.stop(uow, stops.TEMPLATES, failure.value, code, now=now)
    elif code in NUMBER_CODES and number:
        stops.stop(uow, stops.of_number(number), failure.value, code, now=now, about=f"number:{number}")
    elif code == NOT_THIS_COUNTRY and phone is not None and (country := country_of_number(phone)) is not None:
        stops.stop(uow, stops.of_country(country), failure.value, code, now=now)
    else:
        stops.stop_sending(uow, failure.value, code, now=now)


def _mark_template(uow: UnitOfWork, row: Message, code: int | None, *, now: datetime) -> None:
    """The template is no fallback any more, and its campaigns see that it cannot be sent."""
    template: Any = row.content.get("body", {}).get("template", {})
    name, language = template.get("name"), template.get("language", {}).get("code")
    if not isinstance(name, str) or not isinstance(language, str):
        return
    status = TEMPLATE_STATUS.get(code or 0)
    facts: dict[str, Any] = {"status": status} if status else {"faulty": {"code": code, "at": iso(now)}}
    known_templates.note(uow, name, language, now=now, **facts)
    alarm(uow, "template_refused", now=now, about=f"template:{name}.{language}"[:255], code=code)


def _forget_upload(uow: UnitOfWork, row: Message) -> None:
    """WhatsApp cannot use this upload: the same file is uploaded anew when it is sent again."""
    body: Any = row.content.get("body", {})
    sent: Any = body.get(str(body.get("type")), {})
    media_id = sent.get("id") if isinstance(sent, Mapping) else None
    names = [name for name, value in uow.options.named(UPLOADED, limit=500) if value.get("id") == media_id]
    for name in names if media_id else ():
        uow.options.remove(name)


def _upload_again(uow: UnitOfWork, row: Message, conversation: Conversation | None, *, now: datetime) -> Message | None:
    """One more upload, in a new row, if the hub holds the file; never a second one."""
    if conversation is None or not is_held(row.content) or row.content.get("uploaded_again"):
        return None
    return _again(uow, row, conversation, now=now, reupload=True, uploaded_again=True)


def _say_plainly(uow: UnitOfWork, row: Message, conversation: Conversation | None, *, now: datetime) -> Message | None:
    """A notice whose template was refused says the same in plain words, while the window is open."""
    plain: Any = row.content.get("plain")
    if conversation is None or row.class_ is not Class.NOTICE or not isinstance(plain, Mapping):
        return None
    if not windows.is_open(uow, row, conversation.customer_phone, now=now):
        return None
    return _again(uow, row, conversation, now=now, kind=str(plain["type"]), body=dict(plain), plain=None)


def _ask_for_number(uow: UnitOfWork, row: Message, conversation: Conversation, *, now: datetime) -> Message | None:
    """What cannot go to an id alone needs the number: WhatsApp's own button asks for it, once."""
    if row.content.get("asked_for_number"):
        return None
    told = conversation.context.get("language")
    texts = Texts(told if isinstance(told, str) else LANGUAGES[0])
    action = {"name": "request_contact_info"}
    asked = {"type": "request_contact_info", "body": {"text": texts.say("contact.ask")}, "action": action}
    return _again(
        uow,
        row,
        conversation,
        now=now,
        kind="interactive",
        body={"type": "interactive", "interactive": asked},
        asked_for_number=True,
        fallback=None,
    )


def bury(uow: UnitOfWork, row: Message, reason: str, *, now: datetime) -> None:
    """A dead letter about an outbound row that has ended; about its notice, where it tells one."""
    if laid_aside(uow, row, reason, now=now):
        return
    uow.dead_letters.add(
        DeadLetter.of_row(
            Hook.OUTBOUND, "messages", row.id, reason, error=row.error_message, attempts=row.retry_count, now=now
        )
    )


def fall_back(uow: UnitOfWork, row: Message, conversation: Conversation, *, now: datetime) -> Message | None:
    """The declared template in a new row; None when none was declared, or this was one already."""
    fallback: Any = row.content.get("fallback")
    if not isinstance(fallback, Mapping) or row.content.get("window") == "closed":
        return None
    known = known_templates.known(uow, fallback["template"], fallback["language"])
    if not known_templates.is_usable(known) or not _consented(uow, conversation, known):
        return None
    template: dict[str, Any] = {"name": fallback["template"], "language": {"code": fallback["language"]}}
    parameters = [{"type": "text", "text": str(word)} for word in fallback.get("parameters", ())]
    plain = [{"type": "body", "parameters": parameters}] if parameters else []
    if components := fallback.get("components", plain):
        template["components"] = components
    return _again(
        uow,
        row,
        conversation,
        now=now,
        kind="template",
        body={"type": "template", "template": template},
        window="closed",
        fallback=None,
    )


def _consented(uow: UnitOfWork, conversation: Conversation, template: JsonObject | None) -> bool:
    """Whether the customer may get a template of this category: advertising only with consent."""
    if template is None or template.get("category") != "MARKETING":
        return True
    profile = uow.customers.of(conversation.customer_phone)
    return profile is not None and profile.opt_in_marketing


def say_again(uow: UnitOfWork, row: Message, conversation: Conversation | None, *, now: datetime) -> Message | None:
    """The same once more in a new row; a campaign never, and nothing more than twice."""
    generation = int(row.content.get("generation", 0))
    if row.class_ is Class.CAMPAIGN or conversation is None or generation >= MOST_GENERATIONS:
        return None
    return _again(uow, row, conversation, now=now, generation=generation + 1)


def _again(uow: UnitOfWork, row: Message, conversation: Conversation, *, now: datetime, **changes: Any) -> Message:
    dropped = {"own_times": None, "other_ids": None, "other_statuses": None, "pricing": None, "resent": None}
    content = amended(row.content, **{**dropped, "retry_of": row.id, **changes})
    fresh = uow.messages.add(
        Message(
            conversation_id=row.conversation_id,
            direction=row.direction,
            type=str(content.get("kind", row.type)),
            content=content,
            status=MessageStatus.PENDING,
            created_at=now,
            updated_at=now,
        )
    )
    uow.conversations.save(conversation.counted(now=now))
    sent_again(uow, row, row.error_message, now=now)
    return fresh


def _remember_customer(uow: UnitOfWork, phone: str, failure: FailureClass, *, code: int | None, now: datetime) -> None:
    """What the failure tells about the customer: out, held, or not to be reached."""
    if is_erased(phone) or (
        failure not in {FailureClass.CONSENT, FailureClass.MARKETING_CAP} and code != UNDELIVERABLE
    ):
        return
    profile = uow.customers.lock(phone, now=now)
    if failure is FailureClass.CONSENT:
        profile = profile.consenting("marketing", "out", source="error_131050", now=now, by="whatsapp")
    elif failure is FailureClass.MARKETING_CAP:
        hold = document(marketing_until=iso(now + HOLD), code=code)
        profile = evolve(profile, preferences=amended(profile.preferences, hold=hold))
    else:
        known = profile.preferences.get("unreachable", {})
        in_a_row = int(known.get("in_a_row", 0)) + 1
        until = iso(now + UNREACHABLE_FOR) if in_a_row >= UNREACHABLE_AFTER else None
        unreachable = document(in_a_row=in_a_row, until=until)
        profile = evolve(profile, preferences=amended(profile.preferences, unreachable=unreachable))
    uow.customers.save(profile)
