"""What follows when a message will not arrive: the same for an answer of Graph's and for a `failed` status."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs

from wch.application import known_templates, stops
from wch.application.alarms import alarm
from wch.application.ports import UnitOfWork
from wch.application.texts import LANGUAGES, Texts, country_of_number
from wch.domain.attachment import UPLOADED
from wch.domain.conversation import Conversation
from wch.domain.dead_letter import DeadLetter, Hook, Reason
from wch.domain.document import JsonObject, amended, document
from wch.domain.erasure import is_erased
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

NO_TEMPLATES = 131042
"""Nothing that costs is sent: the account's payment is in arrears."""

NOT_THIS_COUNTRY = 130497
NEEDS_NUMBER = 131062

TEMPLATE_STATUS: Mapping[int, str] = {132015: "PAUSED", 132016: "DISABLED"}
"""What a refusal says of a template's state; of any other code: that it is faulty."""

UNDELIVERABLE = 131026
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
    if failure in {FailureClass.SIGN_IN, FailureClass.ACCOUNT, FailureClass.SPAM}:
        phone = None if conversation is None else conversation.customer_phone
        stop_after(uow, failure, code, number=str(row.content.get("number") or ""), phone=phone, now=now)
    elif failure in {FailureClass.REQUEST, FailureClass.UNKNOWN}:
        reason = Reason.REQUEST_REFUSED if failure is FailureClass.REQUEST else Reason.UNKNOWN_CODE
        bury(uow, row, reason, now=now)
        if failure is FailureClass.UNKNOWN:
            alarm(uow, "unknown_code", now=now, about=f"message:{row.id}", code=code)
    elif failure is FailureClass.TEMPLATE:
        _mark_template(uow, row, code, now=now)
    elif failure is FailureClass.MEDIA:
        _forget_upload(uow, row)
    elif code == NEEDS_NUMBER and conversation is not None:
        _ask_for_number(uow, row, conversation, now=now)
    elif failure is FailureClass.WINDOW and conversation is not None:
        context = amended(conversation.context, window_closed_at=iso(now))
        conversation = conversation.remembering(context, now=now)
        uow.conversations.save(conversation)
        fall_back(uow, row, conversation, now=now)
    elif by_status and failure in {FailureClass.RETRY, FailureClass.WAIT_NUMBER, FailureClass.WAIT_PAIR}:
        say_again(uow, row, conversation, now=now)
    if conversation is not None:
        _remember_customer(uow, conversation.customer_phone, failure, code=code, now=now)


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


def _ask_for_number(uow: UnitOfWork, row: Message, conversation: Conversation, *, now: datetime) -> None:
    """What cannot go to an id alone needs the number: WhatsApp's own button asks for it, once."""
    if row.content.get("asked_for_number"):
        return
    told = conversation.context.get("language")
    texts = Texts(told if isinstance(told, str) else LANGUAGES[0])
    action = {"name": "request_contact_info"}
    asked = {"type": "request_contact_info", "body": {"text": texts.say("contact.ask")}, "action": action}
    _again(
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
    """A dead letter about an outbound row that has ended."""
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
    parameters = [{"type": "text", "text": str(word)} for word in fallback.get("parameters", ())]
    template: dict[str, Any] = {"name": fallback["template"], "language": {"code": fallback["language"]}}
    if parameters:
        template["components"] = [{"type": "body", "parameters": parameters}]
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
        profile = attrs.evolve(profile, preferences=amended(profile.preferences, hold=hold))
    else:
        known = profile.preferences.get("unreachable", {})
        in_a_row = int(known.get("in_a_row", 0)) + 1
        until = iso(now + UNREACHABLE_FOR) if in_a_row >= UNREACHABLE_AFTER else None
        unreachable = document(in_a_row=in_a_row, until=until)
        profile = attrs.evolve(profile, preferences=amended(profile.preferences, unreachable=unreachable))
    uow.customers.save(profile)
