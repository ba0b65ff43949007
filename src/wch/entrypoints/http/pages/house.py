"""The settings: each with where it came from, and forms for those that nobody set above the console."""

from collections.abc import Mapping, Sequence

from wch.application.settings_desk import SettingLine, SettingsRefusedError, ShownSettings
from wch.domain.errors import ConflictError, NotFoundError
from wch.domain.operator import Right
from wch.entrypoints.http.pages.eyes import clean
from wch.entrypoints.http.pages.parts import Cell, Field, Form, Forms, Page, Section, Table, code, text
from wch.entrypoints.http.pages.visiting import Route, Visit, moved_meanwhile

LONGEST = 20_000
_LEAD = (
    "An argument, the environment or wch.toml stands above what is set here, and a default below it. A setting a.b has "
    "the variable WCH_A_B. All processes act on a change within five seconds."
)


async def settings(visit: Visit) -> Page:
    """Every setting with where it came from; what was set comes first, secrets are masked."""
    return _page(visit, await visit.hub.settings.shown(), _section_of(visit.query.get("section", "")))


def _page(
    visit: Visit,
    shown: ShownSettings,
    section: str,
    *,
    typed: Mapping[str, str] | None = None,
    faults: Mapping[str, str] | None = None,
) -> Page:
    open_sections = list(dict.fromkeys(_section_of(line.name) for line in shown.lines if not line.locked))
    sections: list[Section] = []
    if section in open_sections:
        lines = [line for line in shown.lines if _section_of(line.name) == section and not line.locked]
        sections.append(_forms(section, lines, shown.revision, typed or {}, faults or {}))
    sections += [
        Table(
            title=title,
            columns=("Setting", "Meaning", "Value", "From", "Here"),
            rows=[_row(visit, line) for line in shown.lines if (line.origin == "default") is is_default],
            empty="Nothing.",
        )
        for title, is_default in (("Set", False), ("Left at their default", True))
    ]
    wrong = "; ".join(f"{name} {fault}" for name, fault in (faults or {}).items())
    return Page(
        title="Settings",
        place="settings",
        sections=sections,
        lead=_LEAD,
        status=422 if wrong else 200,
        wrong=clean(f"Nothing was changed: {wrong}.") if wrong else "",
    )


def _row(visit: Visit, line: SettingLine) -> Sequence[Cell]:
    way = (
        text(line.locked)
        if line.locked
        else text("Change", href=visit.href("settings", section=_section_of(line.name)))
    )
    return code(line.name), text(line.meaning), text(clean(line.value)), text(line.origin), way


def _forms(
    section: str, lines: Sequence[SettingLine], revision: int, typed: Mapping[str, str], faults: Mapping[str, str]
) -> Forms:
    fields = tuple(_field(line, typed.get(line.name, line.value), faults.get(line.name, "")) for line in lines)
    form = Form(
        to="settings/change",
        label=f"Change {section}",
        fields=fields,
        hidden={"section": section, "revision": str(revision)},
        is_sheet=True,
    )
    return Forms(title=f"Change {section}", forms=(form,), lead="A value that is the default's takes the setting back.")


def _field(line: SettingLine, value: str, fault: str) -> Field:
    if line.choices:
        choices = [(word, word) for word in line.choices]
        kind = "select"
    else:
        choices = []
        kind = "document" if line.type == "json" else "text"
    note = f"{line.meaning}; default: {line.default or 'empty'}"
    return Field(
        name=line.name,
        label=line.name,
        kind=kind,
        value=value,
        choices=choices,
        is_required=bool(line.choices),
        note=f"This {fault}. {note}" if fault else note,
        most=LONGEST,
    )


async def change(visit: Visit) -> str | Page:
    """Set what the form says, all of it or nothing."""
    revision = visit.word("revision", most=10)
    if not revision.isdecimal():
        raise NotFoundError(kind="settings")
    section = _section_of(visit.word("section", most=40))
    wanted = {name: visit.word(name, most=LONGEST) for name in visit.form if "." in name}
    try:
        await visit.hub.settings.change(wanted, revision=int(revision), by=visit.by)
    except SettingsRefusedError as refused:
        return _page(visit, await visit.hub.settings.shown(), section, typed=wanted, faults=refused.faults)
    except ConflictError:
        return await _meanwhile(visit, wanted, section)
    return visit.href("settings", section=section, done="settings")


async def _meanwhile(visit: Visit, wanted: Mapping[str, str], section: str) -> Page:
    shown = await visit.hub.settings.shown()
    rows = [
        (line.name, text(f"yours {wanted[line.name]}, now {line.value}"))
        for line in shown.lines
        if line.name in wanted and wanted[line.name] != line.value
    ]
    return moved_meanwhile(visit, "Settings", rows, place="settings", back=f"settings?section={section}")


def _section_of(name: str) -> str:
    return name.partition(".")[0]


PAGES = (Route("settings", Right.MANAGE, settings),)
ACTS = (Route("settings/change", Right.MANAGE, change),)
