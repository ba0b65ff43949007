"""What a shop has decided about its assistant."""

from datetime import timedelta
from decimal import Decimal

import attrs

from wch.application.dialogue.hours import Hours
from wch.application.texts import LANGUAGES


@attrs.frozen(kw_only=True)
class Policy:
    """The settings of the dialogue.

    Attributes:
        language: spoken when neither customer nor number says another.
        languages: those that are spoken, in the order in which they are offered.
        country: of an address that names none, when the number has none either.
        catalog_id: the linked catalogue; None: orders from any are taken.
        bot_enabled: whether the assistant answers at all.
        hours: when people are there; None: always.
        misses_to_handoff: after so many texts in a row that are not understood a person is called; 0: never.
        few: of so many pieces and fewer it is said that they are the last.
        most_per_line: pieces of one product.
        min_total: of the goods in an order, in the shop's currency.
        max_total: of the goods in an order, in the shop's currency.
        step_waits: how long a step of the checkout waits for what is typed.
        clearing_waits: how long the question whether to clear the cart waits.
        cancel_within: how long after it was made an order may be cancelled in the chat.
        person_silent_for: after a person's last word the assistant takes over again.
        phone_app_silent_for: the same after the last word written on the shop's own phone.
    """

    language: str = "en"
    languages: tuple[str, ...] = LANGUAGES
    country: str = "US"
    catalog_id: str | None = None
    bot_enabled: bool = True
    hours: Hours | None = None
    misses_to_handoff: int = 3
    few: int = 5
    most_per_line: int = 99
    min_total: Decimal | None = None
    max_total: Decimal | None = None
    step_waits: timedelta = timedelta(minutes=15)
    clearing_waits: timedelta = timedelta(minutes=5)
    cancel_within: timedelta = timedelta(minutes=30)
    person_silent_for: timedelta = timedelta(hours=24)
    phone_app_silent_for: timedelta = timedelta(hours=2)
