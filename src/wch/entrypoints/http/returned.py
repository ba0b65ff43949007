"""The page that gateways lead back to: it thanks, and says nothing of the money, which nobody has looked up yet."""

from html import escape

from wch.application.texts import LANGUAGES, Texts

RIGHT_TO_LEFT = frozenset({"ar"})


def page_of(accepted: str) -> str:
    """The page in the first language of the browser that we speak; `accepted` is its `Accept-Language`."""
    language = _first_spoken(accepted)
    direction = "rtl" if language in RIGHT_TO_LEFT else "ltr"
    words = escape(Texts(language).say("payment.returned"))
    return (
        f'<!doctype html><html lang="{language.replace("_", "-")}" dir="{direction}"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>WhatsApp</title><p>{words}</p></html>'
    )


def _first_spoken(accepted: str) -> str:
    for one in accepted.split(","):
        tag = one.partition(";")[0].strip().lower()
        for language in LANGUAGES:
            if tag and language.lower().replace("_", "-").startswith(tag.partition("-")[0]):
                return language
    return LANGUAGES[0]
