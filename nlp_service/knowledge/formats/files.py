"""Which files an import reads, and the names under which their articles are known."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nlp_service.errors import ServiceError
from nlp_service.knowledge.formats.registry import DOCUMENTS, SUFFIXES

_UNSEEN = (".", "~$")
"""Hidden files, and the marks that office programs leave beside an open one."""


@dataclass(frozen=True)
class File:
    """A file to read. `name` is its path below the folder that was given, or its own name."""

    path: Path
    name: str


def files_of(paths: Sequence[Path]) -> list[File]:
    """The files that were given, and those in the folders that were given and below, in order, each once.

    A README of a folder tells of the folder and is read only when it is given itself. Raises ServiceError when there
    is nothing to read, or when two documents would be known under one name.
    """
    found: dict[Path, File] = {}
    for path in paths:
        for file in _in_folder(path) if path.is_dir() else [File(path, path.name)]:
            found.setdefault(file.path.resolve(), file)
    if not found:
        kinds = " ".join(DOCUMENTS)
        raise ServiceError(f"目录中没有 .jsonl、.csv 或文档 · the folder holds no .jsonl or .csv files, nor {kinds}")
    _check_names(list(found.values()))
    return list(found.values())


def _in_folder(folder: Path) -> list[File]:
    return [
        File(path, path.relative_to(folder).as_posix())
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES and not _is_passed_over(path, folder) and path.is_file()
    ]


def _is_passed_over(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    return any(part.startswith(_UNSEEN) for part in parts) or path.stem.lower().startswith("readme")


def _check_names(files: Sequence[File]) -> None:
    """Articles of documents are known by the document's name; under one name, one would replace the other."""
    seen: dict[str, Path] = {}
    for file in files:
        if file.path.suffix.lower() in DOCUMENTS and file.path.suffix.lower() != ".xlsx":
            other = seen.setdefault(file.name, file.path)
            if other != file.path:
                raise ServiceError(
                    f"{other} 与 {file.path} 的名称相同,请改为给出它们共同的上级目录 · "
                    "have the same name; give a folder above both"
                )
