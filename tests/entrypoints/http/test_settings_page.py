"""The settings in the console: what may be changed there, by whom, and what is said about the rest."""

import re
from collections.abc import AsyncIterator

import pytest

from tests.entrypoints.http.consoles import Shop, shop
from wch.domain.operator import Role
from wch.settings import Settings
from wch.settings.options import kept_out, locked
from wch.settings.sections import ENTRIES


@pytest.fixture
async def town() -> AsyncIterator[Shop]:
    async with shop() as made:
        yield made


PAGE = "/settings?section=conversation"


async def test_a_form_turns_a_switch_off(town: Shop) -> None:
    """It is an ordinary form; afterwards the page has the value with its origin, and the log who did it."""
    admin = await town.signed_in("maria", Role.ADMIN)

    answered = await admin.post("/settings/change", page=PAGE, **{"conversation.bot_enabled": "false"}, revision="0")
    shown = await admin.text("/settings")

    assert answered.status_code == 303, answered.text
    assert re.search(r"conversation\.bot_enabled\s+the dialogue answers; else people alone\s+false\s+options", shown)
    (line,) = await town.hub.database.read(lambda uow: uow.audit.listed(action="setting.change"))
    assert (line.actor, line.role, line.object) == ("maria", "admin", "setting:conversation.bot_enabled")


async def test_the_form_as_it_is_shown_changes_nothing(town: Shop) -> None:
    """What a browser would send back is what is: of every section, every value reads as itself."""
    admin = await town.signed_in("maria", Role.ADMIN)
    lines = (await town.hub.settings.shown()).lines
    open_ones = [line for line in lines if not line.locked]

    changed = await town.hub.settings.change({one.name: one.value for one in open_ones}, revision=0, by="maria")
    shown = (await admin.get(PAGE)).text

    assert changed == 0
    assert 'name="conversation.misses_to_handoff" value="3"' in shown
    assert len(lines) == len(ENTRIES)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.AGENT, Role.OPERATOR])
async def test_only_admins_change_settings(town: Shop, role: Role) -> None:
    """Others see no page and their forms are refused, which the log tells."""
    other = await town.signed_in("vera", role)

    answered = await other.post("/settings/change", **{"conversation.bot_enabled": "false"}, revision="0")

    assert (await other.get(PAGE)).status_code == 403
    assert answered.status_code == 403
    assert (await town.hub.settings.shown()).revision == 0
    assert "refused" in await town.actions()


async def test_a_form_of_another_site_is_refused(town: Shop) -> None:
    """Without the token of the session nothing is done."""
    admin = await town.signed_in("maria", Role.ADMIN)

    answered = await admin.web.post(
        "/console/settings/change", data={"token": "0" * 64, "revision": "0", "shop.low_stock": "9"}
    )

    assert answered.status_code == 403
    assert (await town.hub.settings.shown()).revision == 0


async def test_a_wrong_value_stays_in_its_field_with_what_is_wrong(town: Shop) -> None:
    """Nothing is changed, and what was typed beside it is not lost."""
    admin = await town.signed_in("maria", Role.ADMIN)
    wanted = {"section": "conversation", "conversation.misses_to_handoff": "99", "conversation.reopen_hours": "12"}

    answered = await admin.post("/settings/change", page=PAGE, revision="0", **wanted)

    assert answered.status_code == 422
    assert 'name="conversation.misses_to_handoff" value="99"' in answered.text
    assert 'name="conversation.reopen_hours" value="12"' in answered.text
    assert "This 99 is out of range: give a whole number from 1 to 20" in answered.text
    assert (await town.hub.settings.shown()).revision == 0


async def test_what_stands_above_has_no_field_and_is_refused(town: Shop) -> None:
    """The page says where it comes from; a form that was made by hand is told the same."""
    admin = await town.signed_in("maria", Role.ADMIN)

    shown = await admin.text("/settings?section=whatsapp")
    fields = (await admin.get("/settings?section=whatsapp")).text
    answered = await admin.post("/settings/change", page=PAGE, revision="0", **{"whatsapp.app_secret": "a-new-secret"})

    assert "is a secret, which no page takes" in shown
    assert 'name="whatsapp.app_secret"' not in fields
    assert 'name="whatsapp.number_rate"' in fields
    assert answered.status_code == 422
    assert "a-new-secret" not in answered.text


async def test_who_comes_second_sees_both_versions(town: Shop) -> None:
    """The form was made before somebody else changed it."""
    admin = await town.signed_in("maria", Role.ADMIN)
    await town.hub.settings.change({"conversation.reopen_hours": "48"}, revision=0, by="petra")

    answered = await admin.post(
        "/settings/change",
        page=PAGE,
        revision="0",
        **{"section": "conversation", "conversation.reopen_hours": "12"},
    )

    assert answered.status_code == 409
    assert "yours 12, now 48" in answered.text


def test_every_setting_without_a_secret_or_a_reason_can_be_changed() -> None:
    """What is kept out of the console is a short list, each with a reason that people read."""
    out = {entry.name for entry in ENTRIES if not entry.kind.is_secret and kept_out(entry)}

    assert out == {
        *("general.profile", "database.url", "database.table_prefix", "database.pool_size", "log.level", "log.format"),
        *("security.trusted_proxies", "security.testing", "security.failpoints", "worker.stop_seconds"),
        *("whatsapp.phone_number_id", "whatsapp.graph_url", "whatsapp.media_folder", "templates.file"),
        *("assistant.url", "woocommerce.url", "stripe.url", "razorpay.url", "mercadopago.url"),
        *("mercadopago.payer_email", "broadcasts.test_numbers"),
    }
    assert all(locked(Settings(), entry.name) is None for entry in ENTRIES if kept_out(entry) is None)
