"""Routes about people: conversations, messages, customers."""

from typing import Annotated, Any

from litestar import Response, get, post
from litestar.params import Body, QueryParameter

from wch.application.hub import Hub
from wch.application.messages import outgoing_of
from wch.domain.api_key import KeyScope
from wch.domain.conversation import ConversationStatus
from wch.domain.customer import CustomerProfile
from wch.domain.errors import WchError
from wch.domain.message import Class, Message
from wch.domain.moment import iso, of_iso
from wch.entrypoints.http.api import samples
from wch.entrypoints.http.api.calls import (
    Asked,
    CursorError,
    Told,
    after_id,
    key_of,
    needs,
    once,
    page,
    parts_of,
    sees,
)
from wch.entrypoints.http.api.parameters import (
    After,
    Assignment,
    Consent,
    Id,
    Key,
    Limit,
    NewMessage,
    Reply,
    Tags,
)
from wch.entrypoints.http.api.rows import customer_told, thread_told
from wch.entrypoints.http.api.views import ConversationView, CustomerView, MessageView, Page, ThreadView


class MessagePartError(WchError):
    """The part that bears the name of the message's type is missing, or something in it is."""


def talking_routes(hub: Hub) -> list[Any]:  # noqa: C901 - a list of routes
    """Conversations, messages, customers."""
    thread, customer = thread_told(hub), customer_told(hub)

    def _customer(one: CustomerProfile, request: Asked) -> CustomerView:
        return CustomerView.of(one, sees=sees(request), currency=hub.currency)

    message = Told(
        kind="message",
        id_of=lambda one: one.id,
        read=lambda row: hub.messages.show(int(row)),
        view=lambda one, request: MessageView.of(one, sees=sees(request)),
    )
    # --- conversations

    @get("/conversations", opt=needs(KeyScope.READ), summary="Threads, the latest first")
    async def conversations(
        request: Asked,
        status: Annotated[ConversationStatus | None, QueryParameter(name="status", description="Only these.")] = None,
        limit: Limit = 50,
        after: After = None,
    ) -> Page[ConversationView]:
        parts = parts_of(after, str, int)
        before = None if parts is None else (_moment(parts[0]), int(parts[1]))
        found = await hub.conversations.listed(status=status, before=before, limit=limit + 1)
        return page(
            found,
            limit,
            lambda one: ConversationView.of(one, sees=sees(request)),
            lambda one: (iso(one.last_message_at or one.created_at), one.id),
        )

    @get("/conversations/{conversation_id:int}", opt=needs(KeyScope.READ), summary="One thread and its latest messages")
    async def conversation(request: Asked, conversation_id: Id) -> ThreadView:
        return ThreadView.of(await hub.conversations.show(conversation_id), sees=sees(request))

    @get(
        "/conversations/{conversation_id:int}/messages",
        opt=needs(KeyScope.READ),
        summary="The messages of a thread, the newest first",
    )
    async def messages(
        request: Asked, conversation_id: Id, limit: Limit = 50, after: After = None
    ) -> Page[MessageView]:
        before = after_id(after) or None
        found = await hub.conversations.page(conversation_id, before=before, limit=limit + 1)
        return page(found, limit, lambda one: MessageView.of(one, sees=sees(request)), lambda one: (one.id,))

    @post(
        "/conversations/{conversation_id:int}/reply",
        opt=needs(KeyScope.MESSAGES),
        status_code=202,
        summary="Write to the customer as a person",
    )
    async def reply(
        request: Asked, conversation_id: Id, data: Annotated[Reply, Body(examples=samples.REPLY)]
    ) -> Response[MessageView]:
        """Take the thread for this agent, and put the words into the outbox; 409 `window_closed` when only a template may go."""
        by = key_of(request).actor
        return await once(
            hub,
            request,
            message,
            hub.conversations,
            lambda room: room.reply(conversation_id, data.text, agent=data.agent, by=by),
            status=202,
        )

    @post(
        "/conversations/{conversation_id:int}/assign",
        opt=needs(KeyScope.MESSAGES),
        status_code=200,
        summary="Give the thread to a person",
    )
    async def assign(
        request: Asked, conversation_id: Id, data: Annotated[Assignment, Body(examples=samples.ASSIGNMENT)]
    ) -> Response[ConversationView]:
        by = key_of(request).actor
        return await once(
            hub, request, thread, hub.conversations, lambda room: room.assign(conversation_id, data.agent, by=by)
        )

    @post(
        "/conversations/{conversation_id:int}/resolve",
        opt=needs(KeyScope.MESSAGES),
        status_code=200,
        summary="End the thread",
    )
    async def resolve(request: Asked, conversation_id: Id) -> Response[ConversationView]:
        by = key_of(request).actor
        return await once(hub, request, thread, hub.conversations, lambda room: room.resolve(conversation_id, by=by))

    @post(
        "/conversations/{conversation_id:int}/handoff",
        opt=needs(KeyScope.MESSAGES),
        status_code=200,
        summary="Take the thread from the dialogue",
    )
    async def handoff(request: Asked, conversation_id: Id) -> Response[ConversationView]:
        by = key_of(request).actor
        return await once(hub, request, thread, hub.conversations, lambda room: room.handoff(conversation_id, by=by))

    @post(
        "/conversations/{conversation_id:int}/handback",
        opt=needs(KeyScope.MESSAGES),
        status_code=200,
        summary="Give the thread back to the dialogue",
    )
    async def handback(request: Asked, conversation_id: Id) -> Response[ConversationView]:
        by = key_of(request).actor
        return await once(hub, request, thread, hub.conversations, lambda room: room.handback(conversation_id, by=by))

    # --- messages

    @post("/messages", opt=needs(KeyScope.MESSAGES), status_code=202, summary="Send one message through the outbox")
    async def send(
        request: Asked, data: Annotated[NewMessage, Body(examples=samples.NEW_MESSAGE)]
    ) -> Response[MessageView]:
        """Take it for sending: `id` and `status` say where it stands, `GET /messages/{id}` how it went on."""
        part = getattr(data, data.type)
        if part is None:
            raise MessagePartError(code="part_missing")
        said = outgoing_of(data.type, {name: getattr(part, name) for name in part.__class__.__annotations__})
        by = key_of(request).actor
        return await once(
            hub,
            request,
            message,
            hub.messages,
            lambda room: room.send(data.to, said, class_=Class(data.purpose), number=data.number, by=by),
            status=202,
        )

    @get("/messages/{message_id:int}", opt=needs(KeyScope.READ), summary="One message, and what became of it")
    async def message_shown(request: Asked, message_id: Id) -> MessageView:
        found: Message = await hub.messages.show(message_id)
        return MessageView.of(found, sees=sees(request))

    # --- customers

    @get("/customers", opt=needs(KeyScope.READ), summary="Customers by id")
    async def customers(request: Asked, limit: Limit = 50, after: After = None) -> Page[CustomerView]:
        found = await hub.customers.listed(after=after_id(after), limit=limit + 1)
        return page(found, limit, lambda one: _customer(one, request), lambda one: (one.id,))

    @get("/customers/{key:str}", opt=needs(KeyScope.READ), summary="One customer")
    async def customer_shown(request: Asked, key: Key) -> CustomerView:
        return _customer(await hub.customers.show(key), request)

    @post("/customers/{key:str}/tags", opt=needs(KeyScope.CUSTOMERS), status_code=200, summary="Add and remove tags")
    async def tag(
        request: Asked, key: Key, data: Annotated[Tags, Body(examples=samples.TAGS)]
    ) -> Response[CustomerView]:
        by = key_of(request).actor
        return await once(
            hub,
            request,
            customer,
            hub.customers,
            lambda room: room.tag(key, add=data.add, remove=data.remove, by=by),
        )

    @post(
        "/customers/{key:str}/consent",
        opt=needs(KeyScope.CUSTOMERS),
        status_code=200,
        summary="Write down what a customer decided",
    )
    async def consent(
        request: Asked, key: Key, data: Annotated[Consent, Body(examples=samples.CONSENT)]
    ) -> Response[CustomerView]:
        by = key_of(request).actor
        return await once(
            hub,
            request,
            customer,
            hub.customers,
            lambda room: room.consent(key, purpose=data.purpose, to=data.to, reason=data.reason, by=by),
        )

    return [
        conversations, conversation, messages, reply, assign, resolve, handoff, handback,
        send, message_shown, customers, customer_shown, tag, consent,
    ]  # fmt: skip


def _moment(text: str) -> Any:
    try:
        return of_iso(text)
    except ValueError as error:
        raise CursorError from error
