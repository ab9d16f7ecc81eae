"""What a snapshot of the indexes says of itself, and whether its files are what it says."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from nlp_service import __version__
from nlp_service.errors import IndexDamaged
from nlp_service.inference.bundle import sha256
from nlp_service.knowledge.keys import KINDS, Kind

MANIFEST = "manifest.json"
FORMAT = f"1, nlp-service {__version__}"
"""Of files, and of what is indexed of a record; the first number is to be raised when either changes in a version."""


class Position(BaseModel):
    """The last change that is held, and its mark, by which the database is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sequence: int
    mark: int | None


class Manifest(BaseModel):
    """What a snapshot holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: str
    encoder: str
    """Fingerprint."""
    dimension: int
    changes: dict[Kind, Position]
    records: int
    files: dict[str, str]
    """SHA-256 by path."""


def read_manifest(snapshot: Path) -> Manifest:
    """Raises IndexDamaged when it is missing, broken, or of another version."""
    try:
        manifest = Manifest.model_validate_json((snapshot / MANIFEST).read_bytes())
    except (OSError, ValidationError) as error:
        raise IndexDamaged(f"{MANIFEST} 缺少或有误 · missing or broken") from error
    if manifest.format != FORMAT:
        raise IndexDamaged(f"另一版本所写 · of format {manifest.format!r}, not {FORMAT!r}")
    if set(manifest.changes) != set(KINDS):
        raise IndexDamaged(f"{MANIFEST} 有误 · changes of {sorted(manifest.changes)}")
    return manifest


def check_files(snapshot: Path, manifest: Manifest, *parts: str) -> None:
    """Raise IndexDamaged unless every file of these parts has its checksum, and no other is there."""
    for part in parts:
        expected = {name: digest for name, digest in manifest.files.items() if name.startswith(f"{part}/")}
        present = {file.relative_to(snapshot).as_posix() for file in (snapshot / part).rglob("*")}
        if present != set(expected) or not expected:
            raise IndexDamaged(f"{part}: 文件缺少或多余 · files are missing or do not belong there")
        for name, digest in expected.items():
            try:
                found = sha256(snapshot / name)
            except OSError as error:
                raise IndexDamaged(f"{name}: 无法读取 · cannot be read: {error.strerror}") from error
            if found != digest:
                raise IndexDamaged(f"{name}: 校验和不符 · another checksum")
