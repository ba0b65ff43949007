"""Routes about the settings: each with where it came from, and changing what nobody set above the console."""

from typing import Annotated, Any

import attrs
import msgspec
from litestar import Response, get, patch
from litestar.params import Body

from wch.application.hub import Hub
from wch.application.settings_desk import SettingLine
from wch.domain.api_key import KeyScope
from wch.domain.errors import ConflictError, VersionMovedError
from wch.entrypoints.http.api import samples
from wch.entrypoints.http.api.calls import Asked, etag, key_of, needs, wanted_version

LONGEST = 20_000

Value = Annotated[str, msgspec.Meta(max_length=LONGEST)]


@attrs.frozen(kw_only=True)
class SettingView:
    """One setting; a secret's value is masked.

    Attributes:
        value: as the environment would give it.
        origin: `argument`, `environment`, `file`, `options` or `default`.
        locked: why it cannot be changed here; None when it can.
    """

    name: str
    value: str
    default: str
    origin: str
    meaning: str
    type: str
    choices: list[str]
    locked: str | None

    @classmethod
    def of(cls, line: SettingLine) -> "SettingView":
        """This setting."""
        return cls(
            name=line.name,
            value=line.value,
            default=line.default,
            origin=line.origin,
            meaning=line.meaning,
            type=line.type,
            choices=list(line.choices),
            locked=line.locked or None,
        )


@attrs.frozen(kw_only=True)
class SettingsView:
    """All settings, and the revision that a change may name in `If-Match`."""

    data: list[SettingView]
    revision: int


@attrs.frozen(kw_only=True)
class SettingsChange:
    """Text by `section.key`, as the environment would give it; a value that is the default's takes the setting back."""

    settings: dict[str, Value]


def setting_routes(hub: Hub) -> list[Any]:
    """Reading and changing the settings."""

    async def shown() -> Response[SettingsView]:
        found = await hub.settings.shown()
        view = SettingsView(data=[SettingView.of(line) for line in found.lines], revision=found.revision)
        return Response(view, headers=etag(str(found.revision)))

    @get("/settings", opt=needs(KeyScope.SETTINGS), summary="Every setting with where it came from, secrets masked")
    async def settings() -> Response[SettingsView]:
        return await shown()

    @patch("/settings", opt=needs(KeyScope.SETTINGS), summary="Change settings, all of these or none")
    async def change(
        request: Asked,
        data: Annotated[SettingsChange, Body(examples=samples.SETTINGS)],
    ) -> Response[SettingsView]:
        """Every process acts on them within five seconds. With `If-Match` only if nobody changed any meanwhile (412)."""
        wanted = wanted_version(request)
        revision = (await hub.settings.shown()).revision
        if wanted is not None and wanted != str(revision):
            raise VersionMovedError
        try:
            await hub.settings.change(data.settings, revision=revision, by=key_of(request).actor)
        except ConflictError as error:
            if wanted is None:
                raise
            raise VersionMovedError from error
        return await shown()

    return [settings, change]
