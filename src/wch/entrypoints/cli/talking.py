"""Commands about people: their threads, and what is known of them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from wch.application.texts import fit
from wch.domain.conversation import ConversationStatus
from wch.domain.errors import NotFoundError
from wch.domain.phone import masked
from wch.entrypoints.cli.running import BY, USAGE, Run, Whole, command, fail
from wch.entrypoints.cli.writing import force, refuse_taken


@click.group()
def conversations() -> None:
    """Threads with customers: read them, answer, take over, hand back."""


_COLUMNS: Mapping[str, Callable[[Any], Any]] = {
    "id": lambda one: one.id,
    "customer": lambda one: masked(one.customer_phone),
    "status": lambda one: one.status,
    "state": lambda one: one.state,
    "with": lambda one: one.assigned_agent_id,
    "unread": lambda one: one.unread_count,
    "messages": lambda one: one.message_count,
    "last": lambda one: one.last_message_at,
}


@conversations.command(name="list")
@click.option("--status", type=click.Choice([word.value for word in ConversationStatus]))
@click.option("--agent", type=int, help="Only those of this person; 0: of nobody.")
@click.option("--unread", is_flag=True, help="Only those in which something is unread.")
@click.option("--queue", is_flag=True, help="Only those that wait for a person, the one that waits longest first.")
@click.option("--limit", default=50, show_default=True, type=Whole(1, 500))
@command
async def conversations_list(
    run: Run, status: str | None, agent: int | None, limit: int, *, unread: bool, queue: bool
) -> None:
    """Threads, the latest first.

    Example: wch conversations list --status escalated
    """
    if queue and (status is not None or agent is not None or unread):
        fail("--queue stands alone: it is the escalated threads that nobody has.", USAGE)
    async with run.hub() as hub:
        if queue:
            found = await hub.conversations.queue(limit=limit)
        else:
            found = await hub.conversations.listed(
                status=None if status is None else ConversationStatus(status), agent=agent, unread=unread, limit=limit
            )
    run.rows(found, _COLUMNS, empty="No conversations like that." if status or queue else "No conversations yet.")


@conversations.command(name="search")
@click.argument("text")
@click.option("--before", type=int, help="Only messages with an id below this one.")
@click.option("--limit", default=50, show_default=True, type=Whole(1, 500))
@command
async def conversations_search(run: Run, text: str, before: int | None, limit: int) -> None:
    """Threads of a number or a name, and messages that say these words, newest first.

    Example: wch conversations search "blue lamp"
    """
    async with run.hub() as hub:
        found = await hub.conversations.search(text, before=before, limit=limit)
    run.rows(
        found,
        {
            "id": lambda hit: hit.conversation.id,
            "customer": lambda hit: masked(hit.conversation.customer_phone),
            "status": lambda hit: hit.conversation.status,
            "message": lambda hit: None if hit.message is None else hit.message.id,
            "says": lambda hit: None if hit.message is None else fit(hit.message.words, 80),
        },
        empty="Nothing was found.",
    )


@conversations.command(name="show")
@click.argument("conversation_id", type=int)
@click.option("--limit", default=50, show_default=True, type=Whole(1, 500))
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
            line = f"{message.created_at:%Y-%m-%d %H:%M:%S} {arrow} [{message.status}] {message.words or f'[{message.type}]'}"
            console.print(line, markup=False)

    run.show(thread, text)


@conversations.command()
@click.argument("conversation_id", type=int)
@click.argument("text", required=False)
@click.option("--canned", metavar="NAME", help="A reply written in advance, instead of a text.")
@click.option(
    "--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A file; the text is its caption."
)
@click.option("--agent", type=int, default=1, show_default=True, help="The number of the person who writes.")
@command
async def reply(  # noqa: PLR0917 - what the command line offers
    run: Run, conversation_id: int, text: str | None, canned: str | None, file: Path | None, agent: int
) -> None:
    """Write to the customer as a person; refused when the 24-hour window is closed.

    Example: wch conversations reply 7 "Your parcel leaves today."
    """
    if sum((text is not None and file is None, canned is not None, file is not None)) != 1:
        fail("Say what to write: a text, --canned with the name of a reply, or --file with a file.", USAGE)
    async with run.hub() as hub:
        if file is not None:
            data = file.read_bytes()  # noqa: ASYNC240 - the command does nothing else meanwhile
            row = await hub.attachments.send(
                conversation_id, data, filename=file.name, caption=text, agent=agent, by=BY
            )
        else:
            row = await hub.conversations.reply(conversation_id, text or "", canned=canned, agent=agent, by=BY)
    run.show(row, lambda console: console.print(f"Message {row.id} waits in the outbox."))


@conversations.command(name="file")
@click.argument("message_id", type=int)
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Where to write it.")
@force
@command
async def conversations_file(run: Run, message_id: int, to: Path, *, force: bool) -> None:
    """Fetch the file that came with a message; WhatsApp keeps it for seven days.

    Example: wch conversations file 12 --to picture.jpg
    """
    refuse_taken(to, force=force)
    async with run.hub() as hub:
        found = await hub.attachments.open(message_id)
    to.write_bytes(found.data)  # noqa: ASYNC240 - the command does nothing else meanwhile
    size = len(found.data)
    run.show(
        {"file": str(to), "mime_type": found.mime_type, "bytes": size},
        lambda console: console.print(f"{to}: {found.mime_type}, {size} bytes", markup=False),
    )


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
_moved("unassign", "Put the thread back into the queue; it still waits for a person.")


@conversations.command()
@click.argument("conversation_id", type=int)
@click.argument("text")
@command
async def note(run: Run, conversation_id: int, text: str) -> None:
    """Write something down about the customer, for colleagues only.

    Example: wch conversations note 7 "prefers mornings"
    """
    async with run.hub() as hub:
        profile = await hub.conversations.note(conversation_id, text, by=BY)
    notes = profile.preferences.get("notes", ())
    run.show({"notes": notes}, lambda console: console.print(f"Noted; {len(notes)} notes about this customer."))


@conversations.group()
def canned() -> None:
    """Replies written in advance, for `wch conversations reply --canned`."""


@canned.command(name="list")
@command
async def canned_list(run: Run) -> None:
    """All of them, by name.

    Example: wch conversations canned list
    """
    async with run.hub() as hub:
        found = await hub.conversations.canned()
    run.rows(
        found,
        {"name": lambda one: one.name, "text": lambda one: one.text},
        empty="None yet; write one with `wch conversations canned write`.",
    )


@canned.command(name="write")
@click.argument("name")
@click.argument("text")
@command
async def canned_write(run: Run, name: str, text: str) -> None:
    """Write one, or write it anew; {name} in it is the customer's name.

    Example: wch conversations canned write thanks "Thank you, {name}!"
    """
    async with run.hub() as hub:
        written = await hub.conversations.write_canned(name, text, by=BY)
    run.show(written, lambda console: console.print(f"Written: {written.name}."))


@canned.command(name="remove")
@click.argument("name")
@command
async def canned_remove(run: Run, name: str) -> None:
    """Take one away.

    Example: wch conversations canned remove thanks
    """
    async with run.hub() as hub:
        await hub.conversations.remove_canned(name, by=BY)
    run.show({"removed": name}, lambda console: console.print(f"Gone: {name}."))


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
@click.option("--limit", default=50, show_default=True, type=Whole(1, 500))
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
            "shop customer": lambda one: (
                one.wc_customer_id or " or ".join(f"{n}?" for n in one.shop_candidates) or None
            ),
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


@customers.command(name="same-owner")
@click.argument("key")
@command
async def same_owner(run: Run, key: str) -> None:
    """Say that a number still belongs to the same person, although WhatsApp knows them by another id.

    Example: wch customers same-owner 34612345678
    """
    async with run.hub() as hub:
        profile = await hub.customers.same_owner(key, by=BY)
    run.show(profile, lambda console: console.print("Addresses and orders are shown to this customer again."))


@customers.command()
@click.argument("key")
@click.argument("shop_customer", type=Whole(1), required=False)
@command
async def link(run: Run, key: str, shop_customer: int | None) -> None:
    """Say which customer of the shop this is; without a number, list those whom the shop knows under this one.

    Example: wch customers link 34612345678 42
    """
    async with run.hub() as hub:
        if shop_customer is None:
            run.rows(
                await hub.customers.shop_customers(key),
                {"id": lambda one: one.id, "name": lambda one: one.name, "email": lambda one: one.email},
                empty="The shop knows nobody under this number.",
            )
            return
        profile = await hub.customers.link(key, shop_customer, by=BY)
    run.show(profile, lambda console: console.print(f"Linked with customer {profile.wc_customer_id} of the shop."))


@customers.command()
@click.argument("key")
@command
async def unlink(run: Run, key: str) -> None:
    """Say that somebody is not the customer of the shop with whom they are linked.

    Example: wch customers unlink 34612345678
    """
    async with run.hub() as hub:
        profile = await hub.customers.unlink(key, by=BY)
    run.show(profile, lambda console: console.print("Linked with nobody in the shop."))


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
