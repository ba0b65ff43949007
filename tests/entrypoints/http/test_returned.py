"""The page behind a payment: in the customer's language, and without a word that may be untrue."""

import pytest

from tests.entrypoints.http.doubles import ScriptedHub, application, web
from wch.entrypoints.http.returned import page_of


@pytest.mark.parametrize(
    ("accepted", "language", "word"),
    [
        ("", "en", "checking your payment"),
        ("pt-BR,pt;q=0.9,en;q=0.8", "pt-BR", "Obrigado"),
        ("pt", "pt-BR", "Obrigado"),
        ("fr-FR, es-MX;q=0.7", "es", "Gracias"),
        ("xx,*;q=0.1", "en", "checking"),
        ("hi", "hi", "धन्यवाद"),
    ],
)
def test_the_page_speaks_the_browsers_language(accepted: str, language: str, word: str) -> None:
    page = page_of(accepted)

    assert f'lang="{language}"' in page
    assert word in page


def test_arabic_is_written_from_the_right() -> None:
    assert 'dir="rtl"' in page_of("ar-EG")
    assert 'dir="ltr"' in page_of("en")


async def test_the_page_is_there_for_anybody_whatever_a_gateway_adds() -> None:
    """Razorpay adds its own words to the address; nothing of them is believed or shown."""
    async with web(application(ScriptedHub())) as client:
        answered = await client.get("/paid?razorpay_payment_link_status=paid&x=<script>")

    assert (answered.status_code, answered.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "script" not in answered.text
    assert "paid" not in answered.text.replace("payment", "")
