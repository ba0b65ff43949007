"""Commands about people: their threads, and what is known of them."""

import click
from rich.console import Console

from wch.domain.conversation import ConversationStatus
from wch.domain.errors import NotFoundError
from wch.domain.message import Message
from wch.domain.phone import masked
from wch.entrypoints.cli.running import BY, Run, command


@click.group()
def conversations() -> None:
    """Threads with customers: read them, answer, take over, hand back."""


@conversations.command(name="list")
@click.option("--status", type=click.Choice([word.value for word in ConversationStatus]))
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 500))
@command
async def conversations_list(run: Run, status: str | None, limit: int) -> None:
    """Threads, the latest first.

    Example: wch conversations list --status escalated
    """
    async with run.hub() as hub:
        found = await hub.conversations.listed(
            status=None if status is None else ConversationStatus(status), limit=limit
        )
    run.rows(
        found,
        {
            "id": lambda one: one.id,
            "customer": lambda one: masked(one.customer_phone),
            "status": lambda one: one.status,
            "state": lambda one: one.state,
            "unread": lambda one: one.unread_count,
            "messages": lambda one: one.message_count,
            "last": lambda one: one.last_message_at,
        },
        empty="No conversations yet.",
    )


def words_of(message: Message) -> str:
    """What a message says, for people."""
    content = message.content
    body = content.get("body")
    if isinstance(body, str):
        return body
    if isinstance(body, dict):
        inner = body.get(str(body.get("type")), {})
        if isinstance(inner, dict):
            text = inner.get("body")
            found = text.get("text") if isinstance(text, dict) else text
            return str(found or inner.get("name") or f"[{message.type}]")
    for name in ("text", "title", "caption", "emoji"):
        if isinstance(content.get(name), str):
            return str(content[name])
    return f"[{message.type}]"


@conversations.command(name="show")
@click.argument("conversation_id", type=int)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 500))
@command
async def conversations_show(run: Run, conversation_id: int, limit: int) -> None:
    """One thread with its latest messages, oldest first.

    Example: wch conversations show 7
    """
    async with run.hub() as hub:
        thread = await hub.conversations.show(conversation_id, limit=limit)

    def text(console: Console) -> None:
        head = thread.conversation
        console.print(f"{masked(head.customer_phone)}  {head.status}  {head.state}  {head.message_count} messages")
        for message in thread.messages:
            arrow = "<" if message.direction.value == "inbound" else ">"
            line = f"{message.created_at:%Y-%m-%d %H:%M:%S} {arrow} [{message.status}] {words_of(message)}"
            console.print(line, markup=False)

    run.show(thread, text)


@conversations.command()
@click.argument("conversation_id", type=int)
@click.argument("text")
@click.option("--agent", type=int, default=1, show_default=True, help="The number of the person who writes.")
@command
async def reply(run: Run, conversation_id: int, text: str, agent: int) -> None:
    """Write to the customer as a person; refused when the 24-hour window is closed.

    Example: wch conversations reply 7 "Your parcel leaves today."
    """
    async with run.hub() as hub:
        row = await hub.conversations.reply(conversation_id, text, agent=agent, by=BY)
    run.show(row, lambda console: console.print(f"Message {row.id} waits in the outbox."))


def _moved(name: str, help_text: str) -> None:
    @conversations.command(name=name, help=f"{help_text}\n\nExample: wch conversations {name} 7")
    @click.argument("conversation_id", type=int)
    @command
    async def move(run: Run, conversation_id: int) -> None:
        async with run.hub() as hub:
            moved = await getattr(hub.conversations, name)(conversation_id, by=BY)
        run.show(moved, lambda console: console.print(f"Conversation {moved.id}: {moved.status}, {moved.state}."))


_moved("resolve", "End the thread; the customer's next message opens one.")
_moved("handoff", "Take the thread from the dialogue; a person answers from now on.")
_moved("handback", "Give the thread back to the dialogue.")


@conversations.command()
@click.argument("conversation_id", type=int)
@click.argument("agent", type=int)
@command
async def assign(run: Run, conversation_id: int, agent: int) -> None:
    """Give the thread to the person with this number.

    Example: wch conversations assign 7 3
    """
    async with run.hub() as hub:
        moved = await hub.conversations.assign(conversation_id, agent, by=BY)
    run.show(moved, lambda console: console.print(f"Conversation {moved.id} is with {moved.assigned_agent_id}."))


@click.group()
def customers() -> None:
    """Customers: look them up, tag them, write down their consent."""


@customers.command(name="list")
@click.option("--after", default=0, help="Only ids above this one.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 500))
@command
async def customers_list(run: Run, after: int, limit: int) -> None:
    """Customers by id.

    Example: wch customers list --limit 20
    """
    async with run.hub() as hub:
        found = await hub.customers.listed(after=after, limit=limit)
    run.rows(
        found,
        {
            "id": lambda one: one.id,
            "customer": lambda one: masked(one.phone),
            "name": lambda one: one.name,
            "orders": lambda one: one.total_orders,
            "spent": lambda one: one.total_spent,
            "marketing": lambda one: "in" if one.opt_in_marketing else ("out" if one.is_out else "never asked"),
            "last seen": lambda one: one.last_interaction_at,
        },
        empty="No customers yet.",
    )


@customers.command(name="show")
@click.argument("key")
@command
async def customers_show(run: Run, key: str) -> None:
    """One customer, by key or by number in any spelling.

    Example: wch customers show +34612345678
    """
    async with run.hub() as hub:
        found = await hub.customers.found(key)
    if not found:
        raise NotFoundError("No customer answers to this key; list them with `wch customers list`.")
    run.rows(
        found,
        {
            "id": lambda one: one.id,
            "name": lambda one: one.name,
            "tags": lambda one: ", ".join(one.tags),
            "orders": lambda one: one.total_orders,
            "spent": lambda one: one.total_spent,
            "segment": hub.customers.segment,
        },
        empty="",
    )


@customers.command()
@click.argument("key")
@click.option("--add", multiple=True, metavar="TAG")
@click.option("--remove", multiple=True, metavar="TAG")
@command
async def tag(run: Run, key: str, add: tuple[str, ...], remove: tuple[str, ...]) -> None:
    """Add and take away tags.

    Example: wch customers tag 34612345678 --add VIP
    """
    async with run.hub() as hub:
        profile = await hub.customers.tag(key, add=add, remove=remove, by=BY)
    run.show(profile, lambda console: console.print(f"Tags: {', '.join(profile.tags) or 'none'}"))


@customers.command()
@click.argument("key")
@click.option("--marketing", "to", type=click.Choice(["in", "out"]), required=True)
@click.option("--everything", is_flag=True, help="Order notices too.")
@click.option("--reason", required=True, help="What the customer said, and where; it is kept as evidence.")
@command
async def consent(run: Run, key: str, to: str, reason: str, *, everything: bool) -> None:
    """Write down what a customer decided about marketing.

    Example: wch customers consent 34612345678 --marketing out --reason "asked on the phone"
    """
    async with run.hub() as hub:
        profile = await hub.customers.consent(
            key, purpose="all" if everything else "marketing", to=to, reason=reason, by=BY
        )
    run.show(profile, lambda console: console.print(f"Marketing: {'in' if profile.opt_in_marketing else 'out'}."))
