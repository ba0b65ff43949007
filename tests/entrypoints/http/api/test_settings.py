"""Settings through the API: all are shown, secrets masked; what nobody set above is changed."""

import httpx2

from tests.entrypoints.http.api.conftest import Desk
from tests.processes import SECRET


async def _line(caller: httpx2.AsyncClient, name: str) -> dict[str, object]:
    (found,) = [one for one in (await caller.get("/api/v1/settings")).json()["data"] if one["name"] == name]
    return dict(found)


async def test_every_setting_is_shown_with_its_origin_and_no_secret(caller: httpx2.AsyncClient) -> None:
    """Where a value comes from says who may change it; a secret says only that it is there."""
    answer = await caller.get("/api/v1/settings")

    assert answer.status_code == 200
    assert answer.headers["etag"] == '"0"'
    assert SECRET not in answer.text
    assert "an-access-token" not in answer.text
    currency = await _line(caller, "general.currency")
    assert (currency["value"], currency["origin"]) == ("EUR", "environment")
    assert currency["locked"]
    idle = await _line(caller, "recovery.idle_minutes")
    assert (idle["value"], idle["origin"], idle["locked"]) == ("60", "default", None)


async def test_a_change_is_kept_with_its_audit_line(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """As in the console; the default's value takes it back."""
    changed = await caller.patch("/api/v1/settings", json={"settings": {"recovery.idle_minutes": "90"}})

    assert changed.status_code == 200
    assert changed.headers["etag"] == '"1"'
    assert (await _line(caller, "recovery.idle_minutes"))["origin"] == "options"
    (line,) = await desk.row(lambda uow: uow.audit.listed(action="setting.change"))
    assert line.actor.startswith("key:")
    assert line.detail["recovery.idle_minutes"] == {"old": "60", "new": "90"}
    await caller.patch("/api/v1/settings", json={"settings": {"recovery.idle_minutes": "60"}})
    assert (await _line(caller, "recovery.idle_minutes"))["origin"] == "default"


async def test_what_cannot_be_is_refused_by_name_and_nothing_changes(caller: httpx2.AsyncClient) -> None:
    """One fault refuses the whole change, and each fault is told."""
    wanted = {"recovery.idle_minutes": "90", "recovery.moments_hours": "6,1", "general.currency": "USD", "no.such": "1"}
    locked = await caller.patch("/api/v1/settings", json={"settings": wanted})
    wrong = await caller.patch(
        "/api/v1/settings", json={"settings": {"recovery.moments_hours": "6,1", "recovery.idle_minutes": "90"}}
    )

    assert locked.status_code == wrong.status_code == 422
    assert locked.json()["code"] == "settings_refused"
    assert {one["key"] for one in locked.json()["errors"]} == {"general.currency", "no.such"}
    assert {one["key"] for one in wrong.json()["errors"]} == {"recovery.moments_hours"}
    assert (await _line(caller, "recovery.idle_minutes"))["value"] == "60"


async def test_an_old_revision_changes_nothing(caller: httpx2.AsyncClient) -> None:
    """Nobody undoes what they did not see."""
    await caller.patch("/api/v1/settings", json={"settings": {"recovery.idle_minutes": "90"}})

    late = await caller.patch(
        "/api/v1/settings", json={"settings": {"recovery.idle_minutes": "30"}}, headers={"If-Match": '"0"'}
    )

    assert (late.status_code, late.json()["code"]) == (412, "version_moved")
    assert (await _line(caller, "recovery.idle_minutes"))["value"] == "90"


async def test_only_its_own_scope_opens_it(desk: Desk) -> None:
    """Reading settings tells how the shop is run: `read` is not enough."""
    async with desk.client(await desk.key("read", "pii", "export")) as stranger:
        assert (await stranger.get("/api/v1/settings")).status_code == 403
        assert (await stranger.patch("/api/v1/settings", json={"settings": {}})).status_code == 403
