"""Where values come from: arguments, environment, files; the first that has one wins."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from wch.settings.kinds import WrongValueError
from wch.settings.sections import BY_ALIAS, BY_NAME, ENTRIES, SECTIONS, Entry

ARGUMENT = "argument"
ENVIRONMENT = "environment"
# Names of the test suite and of what drives it, which are passed on to the processes it starts.
_TESTS_OWN = ("WCH_TEST_", "WCH_CORPUS", "WCH_REQUIRE_ALL")


@attrs.frozen(kw_only=True)
class Sources:
    """What was given by whom, as it was given."""

    arguments: Mapping[str, Any]
    environ: Mapping[str, str]
    toml: Mapping[str, Any]
    toml_name: str

    def find(self, entry: Entry) -> tuple[Any, str] | None:
        """What was given for this setting, and where; arguments, environment, file, in this order.

        None and the empty text in the environment mean "not given": so a variable can be
        taken back where it cannot be removed.

        Raises:
            WrongValueError: a secret's file cannot be read, or the secret was given twice.
        """
        for name in (entry.name, entry.alias):
            if self.arguments.get(name) is not None:
                return self.arguments[name], ARGUMENT
        by_file = self.environ.get(entry.file_variable or "")
        direct = self.environ.get(entry.variable)
        if direct and by_file:
            raise WrongValueError(str(entry.file_variable), "is set as well", "keep one of the two")
        if direct:
            return direct, ENVIRONMENT
        if by_file:
            return _content(by_file, entry), f"{entry.file_variable}"
        section = self.toml.get(entry.section)
        if isinstance(section, Mapping) and entry.key in section:
            return section[entry.key], self.toml_name
        return None

    def unknown(self) -> Iterator[str]:
        """A sentence for each name that looks like a setting and is none."""
        variables = [entry.variable for entry in ENTRIES] + [e.file_variable for e in ENTRIES if e.file_variable]
        for name in sorted(self.environ):
            if name.startswith("WCH_") and name not in variables and not name.startswith(_TESTS_OWN):
                yield f"{name} is not a setting and does nothing{_meant(name, variables)}."
        for section, content in self.toml.items():
            if section not in SECTIONS:
                yield f"[{section}] in {self.toml_name} is not a section and does nothing{_meant(section, SECTIONS)}."
            elif isinstance(content, Mapping):
                for key in content:
                    if (name := f"{section}.{key}") not in BY_NAME:
                        yield f"{name} in {self.toml_name} is not a setting and does nothing{_meant(name, BY_NAME)}."

    def misplaced(self) -> Iterator[str]:
        """A sentence for each argument that is no setting, and each section that is none in the file."""
        for name in self.arguments:
            if name not in BY_NAME and name not in BY_ALIAS:
                yield f"{name} is not a setting{_meant(name, [*BY_NAME, *BY_ALIAS])}."
        for section, content in self.toml.items():
            if section in SECTIONS and not isinstance(content, Mapping):
                yield f"{section} in {self.toml_name} is a section: write [{section}] and its settings below."


def _content(path: str, entry: Entry) -> str:
    named = f"the file {path!r} of {entry.file_variable}"
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise WrongValueError(named, f"cannot be read ({reason})") from None
    if not text:
        raise WrongValueError(named, "is empty")
    return text


def _meant(name: str, known: Any) -> str:
    import difflib  # noqa: PLC0415 -- only whoever mistypes pays for it

    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.75)
    return f"; {close[0]} is one" if close else ""


def read_toml(path: Path) -> Mapping[str, Any]:
    """Read a settings file.

    Raises:
        WrongValueError: it is not there, not readable or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WrongValueError(path.name, "is not there", "`wch init` writes one") from None
    except OSError as error:
        raise WrongValueError(path.name, f"cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise WrongValueError(path.name, f"is not TOML ({error})") from None
