import json
from pathlib import Path
from typing import Any

import pytest

from nlp_service.errors import BundleError
from tests.training.registry.conftest import comparison_of, fingerprint, write_candidate
from training.registry.candidate import check_compared, read_candidate, verify_bundles
from training.registry.errors import RegistryError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A candidate of all heads with an encoder of their own."""
    return write_candidate(tmp_path / "candidate", "feedback", "2026.02.02-aaaaaa", {}, encoder="new")


def edit(folder: Path, **changes: Any) -> None:
    file = folder / "candidate.json"
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **changes}), "utf-8")


def verified(folder: Path) -> set[str]:
    return verify_bundles(read_candidate(folder), lambda name: folder / "bundles" / name)


def test_a_candidate_names_its_encoders_before_its_parts(folder: Path) -> None:
    candidate = read_candidate(folder)
    assert candidate.folders == (*candidate.encoders, *candidate.parts.values())


def test_a_folder_without_a_description_is_no_candidate(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"candidate\.json"):
        read_candidate(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", "2026/1"),
        ("target", "../x"),
        ("parts", {}),
        ("parts", {"tone": "heads/tone-1"}),
        ("parts", {"classify": "heads/../../etc"}),
        ("encoders", ["/encoders/feedback-1"]),
        ("data", {"train": "abc"}),
        ("run", "x"),
    ],
)
def test_a_wrong_field_is_named(folder: Path, field: str, value: object) -> None:
    edit(folder, **{field: value})
    with pytest.raises(RegistryError, match=rf"candidate\.json: {field}"):
        read_candidate(folder)


@pytest.mark.parametrize(
    "change", [{"parts": {"classify": "encoders/x-1"}}, {"parts": {"search": "heads/x-1"}}, {"encoders": ["heads/x-1"]}]
)
def test_a_part_of_the_wrong_kind_is_refused(folder: Path, change: dict[str, Any]) -> None:
    edit(folder, **change)
    with pytest.raises(RegistryError, match=r"search by encoders/"):
        read_candidate(folder)


def test_a_part_that_was_not_compared_is_named(folder: Path) -> None:
    with pytest.raises(RegistryError, match="aspects"):
        check_compared(read_candidate(folder), comparison_of({}, "sentiment", "classify", "severity"))


def test_intact_bundles_tell_which_encoder_they_need(folder: Path) -> None:
    assert verified(folder) == {f"encoders/feedback-{fingerprint('new')[:12]}"}


def test_a_damaged_file_is_refused(folder: Path) -> None:
    (folder / "bundles" / "heads" / "classify-2026.02.02-aaaaaa" / "head.safetensors").write_bytes(b"x")
    with pytest.raises(BundleError, match="sha256"):
        verified(folder)


def test_the_head_of_another_task_is_refused(folder: Path) -> None:
    edit(folder, parts={"classify": "heads/severity-2026.02.02-aaaaaa"})
    with pytest.raises(RegistryError, match="another model"):
        verified(folder)


def test_an_encoder_under_the_name_of_other_weights_is_refused(folder: Path) -> None:
    encoder = folder / "bundles" / read_candidate(folder).encoders[0]
    encoder.rename(encoder.with_name("feedback-000000000000"))
    edit(folder, encoders=["encoders/feedback-000000000000"])
    with pytest.raises(RegistryError, match="another model"):
        verified(folder)
