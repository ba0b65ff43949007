"""Where files are kept: in memory or in a folder, the same to whoever asks."""

import stat
from pathlib import Path

import pytest

from wch.adapters.files import FolderMediaStore
from wch.adapters.memory import MemoryMediaStore
from wch.application.ports import MediaStore
from wch.bootstrap.resources import open_files
from wch.domain.attachment import AttachmentError, kept_names
from wch.settings import Settings

ONE, TWO = "1" * 32, "2" * 32


@pytest.fixture(params=["memory", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> MediaStore:
    return MemoryMediaStore() if request.param == "memory" else FolderMediaStore(tmp_path / "media")


def inside(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_a_file_is_kept_until_it_is_forgotten(store: MediaStore) -> None:
    """Byte by byte; nobody writes over it, since a name that comes twice is somebody else's file."""
    await store.put(ONE, b"\x00new")
    await store.put(TWO, b"two")
    with pytest.raises(AttachmentError):
        await store.put(ONE, b"of somebody else")

    assert (await store.get(ONE), await store.get(TWO)) == (b"\x00new", b"two")
    assert await store.forget([ONE, ONE]) == 1
    assert (await store.get(ONE), await store.get(TWO)) == (None, b"two")


async def test_forgetting_twice_is_safe(store: MediaStore) -> None:
    """An erasure that is taken up again asks for the same files."""
    await store.put(ONE, b"one")

    assert [await store.forget([ONE, TWO]), await store.forget([ONE, TWO]), await store.forget([])] == [1, 0, 0]


async def test_a_folder_outlives_its_process(tmp_path: Path) -> None:
    """Its files are the owner's alone, and nothing else is left in it."""
    await FolderMediaStore(tmp_path / "media").put(ONE, b"one")

    assert await FolderMediaStore(tmp_path / "media").get(ONE) == b"one"
    (file,) = inside(tmp_path / "media")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "media").stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["../secret", "", "a/b", "A" * 32, f"{ONE}\n"])
async def test_a_name_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    """Names are ours: 32 hex digits, and nothing that walks through folders."""
    with pytest.raises(AttachmentError):
        await FolderMediaStore(tmp_path).put(name, b"x")
    assert inside(tmp_path) == []


async def test_a_disk_that_takes_nothing_is_said_so(tmp_path: Path) -> None:
    """A file where the folder should be: neither kept nor lost in silence."""
    (tmp_path / "media").write_bytes(b"in the way")
    store = FolderMediaStore(tmp_path / "media")

    with pytest.raises(AttachmentError) as refused:
        await store.put(ONE, b"one")
    assert refused.value.code == "unkept"
    assert await store.get(ONE) is None


async def test_a_disk_that_lets_nothing_go_is_said_so(tmp_path: Path) -> None:
    """An erasure must not be told that a file is gone which is still there."""
    (tmp_path / ONE).mkdir()

    with pytest.raises(AttachmentError) as refused:
        await FolderMediaStore(tmp_path).forget([ONE])

    assert refused.value.code == "unforgotten"


async def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No half of a file under its name, and none beside it."""

    def full(_file: int) -> None:
        raise OSError(28, "no space")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(AttachmentError):
        await FolderMediaStore(tmp_path).put(ONE, b"one")

    assert inside(tmp_path) == []


def test_a_message_names_its_files() -> None:
    """Those that came and those that went; a message without any names none."""
    assert kept_names({"media": {"kept": ONE}, "file": {"kept": TWO}}) == (ONE, TWO)
    assert kept_names({"media": {"id": "7"}, "text": "hi"}) == ()
    assert kept_names({"media": "odd", "file": {"kept": ""}}) == ()


@pytest.mark.parametrize(
    ("url", "folder", "kind"),
    [
        ("memory://", "", MemoryMediaStore),
        ("mysql+pymysql://u@h/wch", "", MemoryMediaStore),
        ("mysql+pymysql://u@h/wch", "here", FolderMediaStore),
        ("sqlite+aiosqlite:///wch.db", "", FolderMediaStore),
    ],
)
def test_where_files_lie_is_the_settings_word(url: str, folder: str, kind: type[MediaStore]) -> None:
    """A folder if one is named, else beside a SQLite file, else in memory."""
    assert isinstance(open_files(Settings(database_url=url, media_folder=folder)), kind)


async def test_files_lie_beside_their_database(tmp_path: Path) -> None:
    """So that a copy of the folder is a copy of the shop."""
    store = open_files(Settings(database_url=f"sqlite+aiosqlite:///{tmp_path}/wch.db?x=1"))

    await store.put(ONE, b"one")

    assert (tmp_path / "wch.db-media" / ONE).read_bytes() == b"one"
