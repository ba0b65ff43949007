"""The intents and what is taken from a text beside them."""

from enum import StrEnum

import attrs


class Intent(StrEnum):
    """What a text asks for; the words stand in `handled.intent`."""

    CONSENT_STOP_ALL = "consent_stop_all"
    CONSENT_STOP = "consent_stop"
    CONSENT_START = "consent_start"
    OPT_OUT_QUESTION = "opt_out_question"
    HUMAN = "human"
    CANCEL = "cancel"
    BACK = "back"
    MENU = "menu"
    HELP = "help"
    LANG = "lang"
    CANCEL_ORDER = "cancel_order"
    ORDER_STATUS = "order_status"
    ANSWER = "answer"
    REMOVE_COUPON = "remove_coupon"
    COUPON = "coupon"
    REMOVE_ITEM = "remove_item"
    SET_QUANTITY = "set_quantity"
    CLEAR_CART = "clear_cart"
    ADD_TO_CART = "add_to_cart"
    VIEW_CART = "view_cart"
    PAYMENT_CHECK = "payment_check"
    CHECKOUT = "checkout"
    BROWSE = "browse"
    SEARCH = "search"
    GREETING = "greeting"
    THANKS = "thanks"
    BYE = "bye"
    YES = "yes"
    NO = "no"
    NONE = "none"


CONSENT = (Intent.CONSENT_STOP_ALL, Intent.CONSENT_STOP, Intent.CONSENT_START)
"""Rank 1: the whole message, polite words left aside."""

ABOVE_PROMPT = (
    Intent.OPT_OUT_QUESTION,
    Intent.HUMAN,
    Intent.CANCEL,
    Intent.BACK,
    Intent.MENU,
    Intent.HELP,
    Intent.LANG,
    Intent.CANCEL_ORDER,
    Intent.ORDER_STATUS,
)
"""Ranks 2 to 5: what is heard even while a question is open."""

BELOW_PROMPT = (
    Intent.REMOVE_COUPON,
    Intent.COUPON,
    Intent.REMOVE_ITEM,
    Intent.SET_QUANTITY,
    Intent.CLEAR_CART,
    Intent.ADD_TO_CART,
    Intent.VIEW_CART,
    Intent.PAYMENT_CHECK,
    Intent.CHECKOUT,
    Intent.BROWSE,
    Intent.SEARCH,
    Intent.GREETING,
    Intent.THANKS,
    Intent.BYE,
    Intent.YES,
    Intent.NO,
)
"""Ranks 7 to 14: what a text means when no question is open."""

ESCAPES = (Intent.VIEW_CART, Intent.CHECKOUT)
"""Ranked below the prompt, and yet heard above it when they are the whole message in a fixed form."""


@attrs.frozen(kw_only=True)
class Understood:
    """What one text means.

    Attributes:
        intent: the first of the fixed order that fits; `answer` while a question is open, `none` when nothing fits.
        languages: those whose words matched; empty when the words belong to no language.
        quantity: how many, 1..999.
        line: the number of a cart's line.
        order_number: the digits of an order's number.
        code: a coupon's code as it was typed.
        words: the product words as they were typed; for `none` the text itself when it has 1..6 words.
        choice: the language asked for; None with `lang` means that a list is wanted.
        otherwise: for `answer`, what the text would mean if no question were open.
    """

    intent: Intent
    languages: frozenset[str] = frozenset()
    quantity: int | None = None
    line: int | None = None
    order_number: str | None = None
    code: str | None = None
    words: str | None = None
    choice: str | None = None
    otherwise: Intent | None = None

    @property
    def language(self) -> str | None:
        """The one language whose words matched; None when there is none or more than one."""
        return next(iter(self.languages)) if len(self.languages) == 1 else None
