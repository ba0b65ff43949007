"""A page: what is shown at once, with what can be tapped or typed next."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

import attrs

from wch.application.dialogue.routes import Route
from wch.application.texts import cut, fit
from wch.domain.outgoing import (
    Button,
    Buttons,
    Header,
    ListMessage,
    Media,
    MediaKind,
    Outgoing,
    ProductList,
    ProductMessage,
    Row,
    Section,
    Text,
    measured,
)

OPTIONS = "options"
"""The kind of a page that asks nothing in particular: what it offers can be picked by number."""

BUTTON_TITLE = 20
ROW_TITLE = 24
DESCRIPTION = 72
BODY = 1024
LONGEST_TEXT = 4096
MOST_ROWS = 10
MOST_BUTTONS = 3

SOON = timedelta(minutes=10)
"""How long most questions wait for their answer."""


@attrs.frozen(kw_only=True)
class Choice:
    """Something that can be picked."""

    route: Route
    title: str
    description: str | None = None


@attrs.frozen(kw_only=True)
class Page:
    """What is shown, before it is cut to what WhatsApp takes.

    Attributes:
        body: the words.
        choices: what can be picked: buttons, or rows when there is a `sheet`.
        sheet: the label that opens the list of rows.
        image: a public https address.
        prompt: the kind of the question that it asks.
        lives: how long that question waits.
        numbered: whether a typed number picks a choice.
        again: where to ask it again after an interruption.
        card: what WhatsApp shows instead: the product as it stands in the linked catalogue.
        quotes: the WhatsApp id of the message that it visibly answers.
    """

    body: str
    choices: tuple[Choice, ...] = ()
    sheet: str | None = None
    image: str | None = None
    prompt: str = OPTIONS
    lives: timedelta = SOON
    numbered: bool = True
    again: Route | None = None
    card: ProductMessage | ProductList | None = None
    quotes: str | None = None

    @property
    def offered(self) -> tuple[Choice, ...]:
        """The choices that fit on it, each id once."""
        unique = {choice.route.reply_id: choice for choice in reversed(self.choices)}
        ordered = [unique.pop(choice.route.reply_id) for choice in self.choices if choice.route.reply_id in unique]
        return tuple(ordered[: MOST_ROWS if self.sheet is not None else MOST_BUTTONS])

    def messages(self, facts: Sequence[str] = ()) -> tuple[Outgoing, ...]:
        """The messages that show it, with what is told before it in the same one where that fits."""
        limit = BODY if self.offered or self.card is not None else LONGEST_TEXT
        together = "\n\n".join([*facts, self.body])
        if measured(together) <= limit:
            return (self._message(together),)
        return (*texts_of(facts), *([self._message(cut(self.body, limit))] if self.body.strip() else []))

    def _message(self, body: str) -> Outgoing:
        if self.card is not None:
            return attrs.evolve(self.card, body=body)
        offered = self.offered
        if not offered:
            return Text(body=body)
        if self.sheet is not None:
            rows = tuple(
                Row(
                    id=choice.route.reply_id,
                    title=fit(choice.title, ROW_TITLE),
                    description=fit(choice.description, DESCRIPTION) if choice.description else None,
                )
                for choice in offered
            )
            return ListMessage(body=body, button=fit(self.sheet, BUTTON_TITLE), sections=(Section(rows=rows),))
        return Buttons(
            body=body,
            buttons=tuple(
                Button(id=choice.route.reply_id, title=fit(choice.title, BUTTON_TITLE)) for choice in offered
            ),
            header=None if self.image is None else Header(media=Media(kind=MediaKind.IMAGE, link=self.image)),
        )


def texts_of(facts: Iterable[str]) -> tuple[Text, ...]:
    """What is told, in as few plain messages as WhatsApp takes, cut between lines."""
    bodies: list[str] = []
    for line in "\n\n".join(facts).split("\n"):
        piece = cut(line, LONGEST_TEXT)
        if bodies and measured(f"{bodies[-1]}\n{piece}") <= LONGEST_TEXT:
            bodies[-1] = f"{bodies[-1]}\n{piece}"
        else:
            bodies.append(piece)
    return tuple(Text(body=body.strip("\n")) for body in bodies if body.strip())
