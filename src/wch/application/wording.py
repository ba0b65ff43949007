"""Wording: texts of the shop's own instead of ours, and where its advertisements lead."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from wch.application.dialogue.routes import Place, read_route
from wch.application.ports import Clock, Database, UnitOfWork
from wch.application.texts import LANGUAGES, UnknownPlaceholderError, catalogue, check_replacement
from wch.domain.audit import AuditEntry
from wch.domain.document import document
from wch.domain.errors import NotFoundError, WchError
from wch.domain.outgoing import measured
from wch.domain.widths import OPTION_NAME

TEXT = "text."
"""How the options begin that replace a text, `text.<id>.<language>`."""

AD = "ads."
"""How the options begin that say where an advertisement leads, `ads.<source id>`."""

LONGEST = 1_000
TITLES: Mapping[str, int] = {"button.": 20, "list.": 20, "row.": 24, "section.": 24}
"""How long what stands on a button or a row may be, by how the text's id begins."""

ROW_DESCRIPTION = 72
_MANY = 500


class UnfitWordsError(WchError, ValueError):
    """These words cannot be said there."""


@attrs.frozen(kw_only=True)
class OwnText:
    """A text of the shop's own."""

    id: str
    language: str
    text: str


@attrs.frozen(kw_only=True)
class Ad:
    """An advertisement and the page that it leads to: `product_<id>` or `category_<id>`."""

    source_id: str
    page: str


@attrs.frozen(kw_only=True)
class Wording:
    """What a shop changes about what is said; it counts from the next message on, in every process."""

    database: Database
    clock: Clock

    async def texts(self) -> Sequence[OwnText]:
        """The shop's own texts, by id and language."""
        found = await self.database.read(lambda uow: uow.options.named(TEXT, limit=_MANY))
        split = ((*name.removeprefix(TEXT).rpartition("."), value) for name, value in found)
        return [OwnText(id=id_, language=language, text=str(value["text"])) for id_, _, language, value in split]

    def ours(self, language: str) -> Mapping[str, str]:
        """Our own texts in a language, by id; of plural ones the form for many.

        Raises:
            NotFoundError: we do not speak this language.
        """
        _known_language(language)
        return {name: entry.forms[-1] for name, entry in catalogue(language).entries.items()}

    async def replace(self, id: str, language: str, text: str, *, by: str) -> OwnText:  # noqa: A002 - it is what the catalogues call it
        """Say this from now on.

        Raises:
            NotFoundError: there is no text of this id, or no such language.
            UnfitWordsError: it is empty, too long for where it stands, or names what is not known there.
        """
        _known_language(language)
        words = text.strip()
        most = _most(id)
        if not 0 < measured(words) <= most:
            raise UnfitWordsError(f"The text {id} has 1 to {most} characters; this one has {measured(words)}.")
        try:
            check_replacement(id, words)
        except KeyError:
            raise NotFoundError(f"There is no text {id}; `wch texts list --all` shows every one.", id=id) from None
        except UnknownPlaceholderError as error:
            names = ", ".join(f"{{{name}}}" for name in error.names)
            known = ", ".join(f"{{{name}}}" for name in sorted(catalogue(language).entries[id].placeholders))
            raise UnfitWordsError(f"{names} means nothing in {id}; there is {known or 'no placeholder'}.") from None
        option = f"{TEXT}{id}.{language}"
        await self._write(option, {"text": words}, "text.replace", by)
        return OwnText(id=id, language=language, text=words)

    async def restore(self, id: str, language: str, *, by: str) -> None:  # noqa: A002 - as above
        """Say our own text again.

        Raises:
            NotFoundError: there is none of the shop's own.
        """
        await self._remove(f"{TEXT}{id}.{language}", "text.restore", by, "There is no text of your own of this id.")

    async def ads(self) -> Sequence[Ad]:
        """The advertisements that lead to a page, by their ids."""
        found = await self.database.read(lambda uow: uow.options.named(AD, limit=_MANY))
        return [Ad(source_id=name.removeprefix(AD), page=str(value.get("page", ""))) for name, value in found]

    async def lead(self, source_id: str, page: str, *, by: str) -> Ad:
        """Whoever comes from this advertisement sees that page instead of the menu.

        Args:
            source_id: the advertisement's own id, as Meta has it.
            page: `product_<id>` or `category_<id>`.
            by: who says so.

        Raises:
            UnfitWordsError: the page is neither, or the id is none.
        """
        route = read_route(page)
        if route is None or route.id is None or route.place not in {Place.PRODUCT, Place.CATEGORY}:
            raise UnfitWordsError(f"{page!r} is no page; give product_<id> or category_<id>, such as product_5.")
        if not source_id or len(f"{AD}{source_id}") > OPTION_NAME or not source_id.isprintable():
            raise UnfitWordsError("An advertisement's id is its number in Meta's Ads Manager.")
        await self._write(f"{AD}{source_id}", {"page": page}, "ad.lead", by)
        return Ad(source_id=source_id, page=page)

    async def forget(self, source_id: str, *, by: str) -> None:
        """The advertisement leads to the menu again.

        Raises:
            NotFoundError: it led nowhere else.
        """
        await self._remove(f"{AD}{source_id}", "ad.forget", by, "This advertisement leads to no page of its own.")

    async def _write(self, option: str, value: Mapping[str, Any], action: str, by: str) -> None:
        def work(uow: UnitOfWork) -> None:
            uow.options.put(option, document(**value))
            uow.audit.add(AuditEntry(at=self.clock.now(), actor=by, action=action, object=option[:255]))

        await self.database.transact(work)

    async def _remove(self, option: str, action: str, by: str, otherwise: str) -> None:
        def work(uow: UnitOfWork) -> None:
            if not uow.options.remove(option):
                raise NotFoundError(otherwise)
            uow.audit.add(AuditEntry(at=self.clock.now(), actor=by, action=action, object=option[:255]))

        await self.database.transact(work)


def _known_language(language: str) -> None:
    if language not in LANGUAGES:
        raise NotFoundError(f"There are no texts in {language!r}; there are {', '.join(LANGUAGES)}.")


def _most(id_: str) -> int:
    if id_.endswith(".description"):
        return ROW_DESCRIPTION
    return next((most for beginning, most in TITLES.items() if id_.startswith(beginning)), LONGEST)
