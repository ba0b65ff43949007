"""Who may use the console, and which programs may use the interface."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from wch.domain.api_key import ApiKey, KeyScope
from wch.domain.operator import OperatorRefusedError, Right, Role
from wch.entrypoints.http.pages.parts import (
    Code,
    Facts,
    Field,
    Form,
    Forms,
    Page,
    Section,
    Table,
    code,
    moment,
    state,
    text,
)
from wch.entrypoints.http.pages.visiting import Route, Visit

PAGE = 200
MOST_DAYS = 3650


async def people(visit: Visit) -> Page:
    """Who may use the console."""
    rows = await visit.hub.operators.listed()
    roles = [(one.value, one.value) for one in Role]
    names = [(one.name, one.name) for one in rows]
    sections: list[Section] = [
        Table(
            title="Operators",
            columns=("Name", "Number", "Role", "State", "Since", "Signed in"),
            rows=[
                (
                    text(one.name),
                    text(one.number),
                    text(one.role.value),
                    state("disabled" if one.is_disabled else "active"),
                    moment(one.created_at),
                    moment(one.signed_in_at),
                )
                for one in rows
            ],
            empty="Nobody.",
        ),
        Forms(
            title="Change",
            forms=(
                Form(
                    to="people/add",
                    label="Let somebody in",
                    fields=(
                        Field(name="name", label="Name"),
                        Field(name="role", label="Role", kind="select", choices=roles),
                        Field(name="password", label="Password", kind="password"),
                    ),
                ),
                Form(
                    to="people/password",
                    label="Set a password",
                    fields=(
                        Field(name="name", label="Name", kind="select", choices=names),
                        Field(name="password", label="New password", kind="password"),
                    ),
                ),
                Form(
                    to="people/disable",
                    label="Keep out",
                    fields=(Field(name="name", label="Name", kind="select", choices=names),),
                    tone="danger",
                ),
            ),
        ),
    ]
    sections += _keys(visit, await visit.hub.keys.listed(limit=PAGE))
    return Page(title="Operators and keys", place="people", sections=sections)


def _keys(visit: Visit, keys: Sequence[ApiKey]) -> list[Section]:
    now = visit.hub.clock.now()
    alive = [(one.prefix, f"{one.prefix}, {', '.join(one.scopes)}") for one in keys if one.revoked_at is None]
    forms = [
        Form(
            to="people/key",
            label="Make a key",
            fields=(
                *(
                    Field(name=f"scope.{one.value}", label=one.value, kind="checkbox", is_required=False)
                    for one in KeyScope
                ),
                Field(name="days", label="Ends after so many days", kind="number", value="365"),
            ),
        )
    ]
    if alive:
        which = Field(name="prefix", label="Key", kind="select", choices=alive)
        forms.append(Form(to="people/revoke", label="Revoke", fields=(which,), tone="danger"))
    return [
        Table(
            title="Keys of programs",
            columns=("Key", "May", "State", "Made by", "Made", "Ends", "Used last"),
            rows=[
                (
                    code(f"wch_{one.prefix}_..."),
                    text(", ".join(one.scopes)),
                    state(_state_of(one, now)),
                    text(one.created_by),
                    moment(one.created_at),
                    moment(one.expires_at),
                    moment(one.used_at),
                )
                for one in keys
            ],
            empty="No program may use the interface yet. Make a key below: it is shown once.",
        ),
        Forms(
            title="Change keys",
            forms=forms,
            lead="Without pii a key sees people masked. A key is shown once, and kept as a hash.",
        ),
    ]


def _state_of(key: ApiKey, now: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now else "active"


async def make_key(visit: Visit) -> Page:
    """Make a key, and show it this once."""
    scopes = [one.value for one in KeyScope if visit.word(f"scope.{one.value}")]
    days = visit.word("days", most=5)
    if not days.isdecimal() or not 1 <= int(days) <= MOST_DAYS:
        raise OperatorRefusedError(f"Say after how many days the key ends: 1 to {MOST_DAYS}.")
    made = await visit.hub.keys.create(scopes, lives=timedelta(days=int(days)), by=visit.by)
    return Page(
        title="A new key",
        place="people",
        lead="Copy it now. It is not kept and cannot be shown again; if it is lost, revoke it and make another one.",
        sections=(
            Code(title="The key", text=made.text),
            Facts(
                title="What it may do",
                rows=(("Scopes", text(", ".join(made.key.scopes))), ("Ends", moment(made.key.expires_at))),
            ),
        ),
        back=(visit.href("people"), "Operators and keys"),
    )


async def revoke_key(visit: Visit) -> str:
    """Let a key open nothing from now on."""
    await visit.hub.keys.revoke(visit.word("prefix", most=20), by=visit.by)
    return visit.href("people", done="key")


async def add(visit: Visit) -> str:
    """Let somebody in."""
    role = visit.word("role")
    if role not in set(Role):
        raise OperatorRefusedError("There is no such role; choose one of the list.")
    await visit.hub.operators.add(visit.word("name"), Role(role), visit.form.get("password", ""), by=visit.by)
    return visit.href("people", done="operator")


async def password(visit: Visit) -> str:
    """Give somebody a new password."""
    await visit.hub.operators.set_password(visit.word("name"), visit.form.get("password", ""), by=visit.by)
    return visit.href("people", done="operator")


async def disable(visit: Visit) -> str:
    """Keep somebody out; not oneself, so that somebody is left."""
    if visit.word("name") == visit.operator.name:
        raise OperatorRefusedError("You cannot keep yourself out; ask a colleague.")
    await visit.hub.operators.disable(visit.word("name"), by=visit.by)
    return visit.href("people", done="operator")


PAGES = (Route("people", Right.MANAGE, people),)
ACTS = (
    Route("people/add", Right.MANAGE, add),
    Route("people/password", Right.MANAGE, password),
    Route("people/disable", Right.MANAGE, disable),
    Route("people/key", Right.MANAGE, make_key),
    Route("people/revoke", Right.MANAGE, revoke_key),
)
