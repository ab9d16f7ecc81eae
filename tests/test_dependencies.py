"""What is installed beside the service in production has a licence that lets it be passed on and sold."""

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageMetadata, PackageNotFoundError, distribution

import pytest
from packaging.requirements import Requirement

from tests.conftest import PROJECT

EXTRAS = ("fast", "import", "postgres", "tracing")
"""Of the image."""
ALLOWED = re.compile(
    r"\b(MIT|BSD|0BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla Public|LGPL|Zlib|Unlicense)\b",
    re.IGNORECASE,
)
COPYLEFT = re.compile(r"\bA?GPL|(?<!Lesser )General Public License|SSPL|Commons Clause|Non-?Commercial", re.IGNORECASE)


def _requirements() -> list[Requirement]:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
    optional = project["optional-dependencies"]
    return [Requirement(one) for one in [*project["dependencies"], *(one for name in EXTRAS for one in optional[name])]]


def _installed() -> dict[str, str]:
    """What each package that the service needs says of its licence; of those that are installed."""
    licences: dict[str, str] = {}
    waiting = _requirements()
    seen: set[tuple[str, str]] = set()
    while waiting:
        wanted = waiting.pop()
        key = (wanted.name.lower(), ",".join(sorted(wanted.extras)))
        if key in seen:
            continue
        seen.add(key)
        try:
            found = distribution(wanted.name)
        except PackageNotFoundError:  # for another platform or an older Python
            continue
        licences[found.name] = "; ".join(_said(found.metadata))[:500]
        waiting += _needed(found.requires or [], wanted.extras)
    return licences


def _said(metadata: PackageMetadata) -> list[str]:
    classifiers = [one for one in metadata.get_all("Classifier") or [] if one.startswith("License")]
    return [*(metadata.get_all("License-Expression") or []), *classifiers, *(metadata.get_all("License") or [])]


def _needed(requirements: list[str], extras: set[str]) -> Iterator[Requirement]:
    for one in map(Requirement, requirements):
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in ["", *extras]):
            yield one


@pytest.mark.parametrize(("name", "licence"), sorted(_installed().items()))
def test_a_dependency_may_be_passed_on(name: str, licence: str) -> None:
    assert ALLOWED.search(licence), f"{name}: {licence or 'no licence'}"
    assert not COPYLEFT.search(licence), f"{name}: {licence}"
