"""A folder of articles as Markdown, one file each, that the import reads back unchanged."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from nlp_service.errors import ServiceError
from nlp_service.knowledge.formats.article_page import BEGINNING, page_of
from nlp_service.knowledge.formats.export import Selection, rows
from nlp_service.storage.database import Database

NAME_BYTES = 120
"""Of the title in a file name; file systems allow 255 bytes in all."""


def export_folder(
    database: Database, selection: Selection, folder: Path, *, replace: bool, done: Callable[[int], None]
) -> int:
    """Write the selected articles into `folder`, which is made if need be; how many there were.

    All files are written beside their place before the first one takes it. With `replace`, files of an earlier export
    are replaced, or removed where their article is not selected any more; whatever else is in the folder stays. `done`
    is told how many articles were just written. Raises ServiceError when the folder is not empty and `replace` is not
    set, or when it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise ServiceError(f"{folder}: 不是目录 · is not a folder")
    exists = folder.exists()
    if exists and not replace and any(folder.iterdir()):
        raise ServiceError(f"{folder}: 目录不为空,要更新请加 --replace · the folder is not empty; --replace updates it")
    with TemporaryDirectory(prefix=".export-", dir=folder if exists else folder.absolute().parent) as beside:
        partial = Path(beside) / "articles"
        partial.mkdir()
        names = _write(database, selection, partial, done)
        if not exists:
            partial.rename(folder)
            return len(names)
        for name in names:
            (partial / name).replace(folder / name)
        for stale in set(_exported(folder)) - names:
            (folder / stale).unlink()
    return len(names)


def file_name(article_id: int, title: str) -> str:
    """``000012-vpn-无法连接.md``: the id, which tells all names apart, and the letters and digits of the title.

    In lower case, so that no two names differ by case alone.
    """
    words = re.sub(r"[\W_]+", "-", unicodedata.normalize("NFC", title.lower())).strip("-")
    short = words.encode()[:NAME_BYTES].decode("utf-8", "ignore").strip("-")
    return f"{article_id:06}-{short}".rstrip("-") + ".md"


def _write(database: Database, selection: Selection, folder: Path, done: Callable[[int], None]) -> set[str]:
    """The names of the files that were written."""
    names = set()
    for articles in rows(database, selection):
        for article in articles:
            name = file_name(article["id"], article["title"])
            (folder / name).write_text(page_of(dict(article)), "utf-8", newline="")
            names.add(name)
        done(len(articles))
    return names


def _exported(folder: Path) -> Iterator[str]:
    """The names of files that an export wrote."""
    for file in folder.glob("[0-9]*.md"):
        with file.open("rb") as stream:
            if stream.read(2 * len(BEGINNING)).replace(b"\r\n", b"\n").startswith(BEGINNING.encode()):
                yield file.name
