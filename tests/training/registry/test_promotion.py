import fcntl
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from nlp_service.errors import BundleError
from nlp_service.inference.locking import LOCK_FILE
from nlp_service.inference.release import Parts, Release, read_release, write_release
from tests.training.registry.conftest import SHIPPED, TASKS, write_candidate, write_encoder, write_head
from training.registry import promotion as promotion_module
from training.registry.errors import GateRefused, RegistryError
from training.registry.gate import GateConfig
from training.registry.promotion import Promotion, promote, reconcile, rollback
from training.registry.register import register
from training.registry.tracking import open_client

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:sqlalchemy.exc.SADeprecationWarning")
A, B, C = "2026.02.02-aaaaaa", "2026.02.03-bbbbbb", "2026.02.04-cccccc"
GATE = GateConfig()
Register = Callable[..., str]


def serving(var: Path) -> Parts:
    return read_release(var / "bundles").serving


def champion(var: Path, target: str = "classify") -> str | None:
    with open_client(var) as client:
        aliases = client.get_registered_model(f"nlp-service.{target}").aliases
        return str(aliases["champion"]) if "champion" in aliases else None


def tags(var: Path, number: str) -> dict[str, str]:
    with open_client(var) as client:
        return dict(client.get_model_version("nlp-service.classify", number).tags)


def everything(bundles: Path) -> dict[str, bytes]:
    """Every file that is served from, and its contents."""
    files = (file for file in bundles.rglob("*") if file.is_file() and file.name != LOCK_FILE)
    return {file.relative_to(bundles).as_posix(): file.read_bytes() for file in files}


@pytest.fixture
def registered(tmp_path: Path, var: Path) -> Register:
    """Writes a candidate that was compared with what serves, and registers it."""

    def make(version: str, target: str = "classify", *, encoder: str | None = None, difference: float = 0.02) -> str:
        folder = tmp_path / f"{target}-{version}"
        return register(
            write_candidate(folder, target, version, serving(var), encoder=encoder, difference=difference), var
        )

    return make


def promoted(var: Path, target: str = "classify", *, version: str | None = None) -> Promotion:
    return promote(target, var, version=version, gate=GATE)


def test_a_promoted_candidate_serves(registered: Register, var: Path) -> None:
    registered(A)
    promoted(var)
    assert serving(var)["classify"] == f"heads/classify-{A}"


def test_the_other_parts_serve_as_before(registered: Register, var: Path) -> None:
    before = serving(var)
    registered(A)
    promoted(var)
    assert {**serving(var), "classify": before["classify"]} == before


def test_a_promotion_tells_what_it_replaced(registered: Register, var: Path) -> None:
    registered(A)
    done = promoted(var)
    assert (done.before, done.after, done.previous) == (
        {"classify": f"heads/classify-{SHIPPED}"},
        {"classify": f"heads/classify-{A}"},
        "",
    )


def test_the_bundles_are_installed_as_they_were_made(registered: Register, var: Path, tmp_path: Path) -> None:
    registered(A)
    promoted(var)
    made, installed = (
        root / "heads" / f"classify-{A}" for root in (tmp_path / f"classify-{A}/bundles", var / "bundles")
    )
    assert everything(made) == everything(installed)


def test_installed_bundles_can_be_read_by_everybody(registered: Register, var: Path) -> None:
    registered(A)
    mask = os.umask(0o077)
    try:
        promoted(var)
    finally:
        os.umask(mask)
    installed = var / "bundles" / "heads" / f"classify-{A}"
    assert {path.stat().st_mode & 0o777 for path in (installed, *installed.iterdir())} == {0o755, 0o644}


def test_nothing_unfinished_is_left(registered: Register, var: Path) -> None:
    registered(A)
    promoted(var)
    assert list((var / "bundles").rglob("*.partial")) == []


def test_the_release_names_where_the_bundles_came_from(registered: Register, var: Path) -> None:
    number = registered(A)
    promoted(var)
    assert read_release(var / "bundles").history[-1].source == f"mlflow:nlp-service.classify/{number}"


def test_a_promoted_version_is_the_champion(registered: Register, var: Path) -> None:
    number = registered(A)
    promoted(var)
    assert champion(var) == number


def test_a_promotion_is_noted_on_its_version(registered: Register, var: Path) -> None:
    first = registered(A)
    promoted(var)
    second = registered(B)
    promoted(var)
    at = read_release(var / "bundles").history[-1].at.isoformat(timespec="seconds")
    noted = tags(var, second)
    assert (noted["gate"], noted["previous_version"], noted["promoted_at"]) == ("passed", first, at)


def test_an_encoder_and_its_heads_are_promoted_together(registered: Register, var: Path) -> None:
    registered(A, "feedback", encoder="new")
    done = promoted(var, "feedback")
    assert done.after == {task: f"heads/{task}-{A}" for task in TASKS}


@pytest.mark.parametrize("wanted", ["1", A])
def test_an_older_version_is_promoted_by_its_number_or_name(registered: Register, var: Path, wanted: str) -> None:
    registered(A)
    registered(B)
    assert promoted(var, version=wanted).version == A


def test_a_version_that_does_not_exist_is_named(registered: Register, var: Path) -> None:
    registered(A)
    with pytest.raises(RegistryError, match=r"no such .*: 9"):
        promoted(var, version="9")


def test_a_target_without_a_candidate_is_named(var: Path) -> None:
    with pytest.raises(RegistryError, match=r"severity: .*: candidate"):
        promoted(var, "severity")


def test_promoting_what_serves_changes_nothing(registered: Register, var: Path) -> None:
    registered(A)
    promoted(var)
    before = everything(var / "bundles")
    assert (promoted(var).after, everything(var / "bundles")) == ({}, before)


def test_a_refused_candidate_tells_every_reason(registered: Register, var: Path) -> None:
    registered(A, difference=-0.03)
    with pytest.raises(GateRefused, match=r"0\.0300 below the least") as refused:
        promoted(var)
    assert len(refused.value.refusals) == 1


def test_a_refused_candidate_changes_nothing(registered: Register, var: Path) -> None:
    number = registered(A, difference=-0.03)
    before = everything(var / "bundles"), tags(var, number)
    with pytest.raises(GateRefused):
        promoted(var)
    assert (everything(var / "bundles"), tags(var, number)) == before


def test_a_candidate_that_was_compared_with_another_champion_is_refused(registered: Register, var: Path) -> None:
    registered(A)
    registered(B)
    promoted(var, version=A)
    with pytest.raises(GateRefused, match="run evaluate again"):
        promoted(var, version=B)


def test_a_reason_promotes_against_the_gate(registered: Register, var: Path) -> None:
    registered(A, difference=-0.03)
    done = promote("classify", var, gate=GATE, force_reason="旧模型标签有误")
    assert ([refusal.rule for refusal in done.overridden], serving(var)["classify"]) == (
        ["difference"],
        f"heads/classify-{A}",
    )


def test_a_forced_promotion_is_recorded(registered: Register, var: Path) -> None:
    number = registered(A, difference=-0.03)
    promote("classify", var, gate=GATE, force_reason=" 旧模型标签有误 ")
    noted = tags(var, number)
    assert noted["force_reason"] == "旧模型标签有误"
    assert "0.0300 below the least" in noted["gate"]


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_force_without_a_reason_is_refused(registered: Register, var: Path, reason: str) -> None:
    registered(A)
    with pytest.raises(RegistryError, match="needs a reason"):
        promote("classify", var, gate=GATE, force_reason=reason)


def test_a_later_promotion_by_the_gate_is_not_called_forced(registered: Register, var: Path) -> None:
    number = registered(A)
    promote("classify", var, gate=GATE, force_reason="趁早")
    rollback("classify", var)
    promoted(var)
    assert "force_reason" not in tags(var, number)


def damage(var: Path, name: str) -> None:
    (file,) = (var / "mlflow" / "artifacts").glob(f"*/artifacts/bundles/{name}")
    file.write_bytes(b"damaged")


@pytest.mark.parametrize("name", [f"heads/classify-{A}/head.safetensors", "encoders/*/encoder.bin"])
def test_a_damaged_artifact_is_refused_and_changes_nothing(registered: Register, var: Path, name: str) -> None:
    number = registered(A, "feedback", encoder="new")
    before = everything(var / "bundles")
    damage(var, name)
    with pytest.raises(BundleError, match="sha256"):
        promote("feedback", var, version=number, gate=GATE, force_reason="damage cannot be forced")
    assert (everything(var / "bundles"), champion(var, "feedback")) == (before, None)


def test_a_missing_artifact_is_refused_and_changes_nothing(registered: Register, var: Path) -> None:
    registered(A)
    before = everything(var / "bundles")
    (description,) = (var / "mlflow" / "artifacts").glob("*/artifacts/comparison.json")
    description.unlink()
    with pytest.raises(RegistryError, match=r"comparison\.json"):
        promoted(var)
    assert everything(var / "bundles") == before


def test_a_head_whose_encoder_is_damaged_is_refused(registered: Register, var: Path) -> None:
    registered(A)
    (encoder,) = (var / "bundles" / "encoders").glob("feedback-*")
    (encoder / "encoder.bin").write_bytes(b"damaged")
    with pytest.raises(BundleError, match=r"encoder\.bin"):
        promoted(var)


def test_a_bundle_that_is_there_already_stays(registered: Register, var: Path) -> None:
    registered(A, "feedback", encoder="new")
    installed = var / "bundles" / write_encoder(var / "bundles", "feedback", "new")
    before = installed.stat().st_ino
    promoted(var, "feedback")
    assert installed.stat().st_ino == before


def test_a_bundle_of_the_same_name_with_other_contents_is_refused(registered: Register, var: Path) -> None:
    registered(A, "feedback", encoder="new")
    manifest = var / "bundles" / write_encoder(var / "bundles", "feedback", "new") / "bundle.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text("utf-8")), "dimension": 16}), "utf-8")
    with pytest.raises(RegistryError, match="other contents"):
        promoted(var, "feedback")
    assert serving(var)["classify"] == f"heads/classify-{SHIPPED}"


def test_a_rollback_lets_the_shipped_model_serve_and_takes_the_alias(registered: Register, var: Path) -> None:
    before = serving(var)
    registered(A)
    promoted(var)
    rollback("classify", var)
    assert (serving(var), champion(var)) == (before, None)


def test_a_rollback_tells_what_it_changed(registered: Register, var: Path) -> None:
    registered(A)
    promoted(var)
    step = rollback("classify", var)
    assert (step.action, step.before, step.after) == (
        "rollback",
        {"classify": f"heads/classify-{A}"},
        {"classify": f"heads/classify-{SHIPPED}"},
    )


def test_what_was_rolled_back_can_be_promoted_again(registered: Register, var: Path) -> None:
    number = registered(A)
    promoted(var)
    rollback("classify", var)
    promoted(var)
    assert (serving(var)["classify"], champion(var)) == (f"heads/classify-{A}", number)


def test_each_rollback_goes_back_by_one_promotion(registered: Register, var: Path) -> None:
    for version in (A, B):
        registered(version)
        promoted(var)
    states = []
    for _ in range(2):
        rollback("classify", var)
        states.append((serving(var)["classify"], champion(var)))
    assert states == [(f"heads/classify-{A}", "1"), (f"heads/classify-{SHIPPED}", None)]


def test_a_rollback_more_than_there_were_promotions_is_refused(registered: Register, var: Path) -> None:
    registered(A)
    promoted(var)
    rollback("classify", var)
    with pytest.raises(BundleError, match="no promotion to roll back"):
        rollback("classify", var)


def test_a_rollback_to_a_damaged_bundle_is_refused_and_changes_nothing(registered: Register, var: Path) -> None:
    registered(A)
    promoted(var)
    (var / "bundles" / "heads" / f"classify-{SHIPPED}" / "head.safetensors").write_bytes(b"damaged")
    before = everything(var / "bundles")
    with pytest.raises(BundleError, match="sha256"):
        rollback("classify", var)
    assert everything(var / "bundles") == before


def test_a_rollback_needs_no_registry(registered: Register, var: Path) -> None:
    registered(A)
    promoted(var)
    (var / "mlflow" / "mlflow.db").unlink()
    rollback("classify", var)
    assert serving(var)["classify"] == f"heads/classify-{SHIPPED}"


def test_a_head_that_another_target_replaced_is_no_champion_until_that_is_undone(
    registered: Register, var: Path
) -> None:
    number = registered(A)
    promoted(var)
    registered(B, "feedback", encoder="new")
    promoted(var, "feedback")
    replaced = champion(var)
    rollback("feedback", var)
    assert (replaced, champion(var)) == (None, number)


def test_an_encoder_is_champion_as_long_as_one_of_its_heads_serves(registered: Register, var: Path) -> None:
    number = registered(A, "feedback", encoder="new")
    promoted(var, "feedback")
    registered(B)
    promoted(var)
    assert champion(var, "feedback") == number


def test_of_two_versions_that_serve_the_one_of_more_parts_is_champion(registered: Register, var: Path) -> None:
    older, _ = registered(A, "feedback", encoder="a"), registered(B, "feedback", encoder="b")
    promoted(var, "feedback")
    registered(C)
    promoted(var)
    promote("feedback", var, version=older, gate=GATE, force_reason="比较基准已变")
    newer = read_release(var / "bundles").changed("promote", "classify", {"classify": f"heads/classify-{B}"})
    write_release(var / "bundles", newer)
    reconcile(var)
    assert (serving(var)["classify"], champion(var, "feedback")) == (f"heads/classify-{B}", older)


def test_a_registered_version_that_was_shipped_as_well_is_champion(registered: Register, var: Path) -> None:
    number = registered(A)
    shipped = {**serving(var), "classify": write_head(var / "bundles", "classify", A, "shipped")}
    write_release(var / "bundles", read_release(var / "bundles").ship(shipped))
    reconcile(var)
    assert champion(var) == number


class Stopped(BaseException):
    """As when the process is killed."""


def stop(*_: object) -> None:
    raise Stopped


@pytest.fixture
def half_promoted(registered: Register, var: Path) -> Path:
    """A promotion that stopped between the release and the alias."""
    registered(A)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MlflowClient, "set_registered_model_alias", stop)
        with pytest.raises(Stopped):
            promoted(var)
    return var


def test_a_promotion_that_stops_before_the_alias_serves(half_promoted: Path) -> None:
    assert (serving(half_promoted)["classify"], champion(half_promoted)) == (f"heads/classify-{A}", None)


def test_reconciling_sets_the_alias_that_is_missing(half_promoted: Path) -> None:
    reconcile(half_promoted)
    assert champion(half_promoted) == "1"


def test_the_next_promotion_sets_the_alias_that_is_missing(half_promoted: Path) -> None:
    promoted(half_promoted)
    assert champion(half_promoted) == "1"


def test_reconciling_takes_the_alias_that_a_stopped_rollback_left(registered: Register, var: Path) -> None:
    registered(A)
    promoted(var)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MlflowClient, "delete_registered_model_alias", stop)
        with pytest.raises(Stopped):
            rollback("classify", var)
    left = champion(var)
    reconcile(var)
    assert (left, champion(var)) == ("1", None)


def test_a_promotion_that_stops_before_the_release_leaves_what_serves(registered: Register, var: Path) -> None:
    registered(A)
    before = serving(var)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(promotion_module, "write_release", stop)
        with pytest.raises(Stopped):
            promoted(var)
    reconcile(var)
    assert (serving(var), champion(var)) == (before, None)


def test_a_promotion_that_stopped_before_the_release_succeeds_when_it_is_repeated(
    registered: Register, var: Path
) -> None:
    registered(A)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(promotion_module, "write_release", stop)
        with pytest.raises(Stopped):
            promoted(var)
    promoted(var)
    assert (serving(var)["classify"], champion(var)) == (f"heads/classify-{A}", "1")


def test_a_registry_that_fails_after_the_release_says_that_the_candidate_serves(
    registered: Register, var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MlflowException("disk full")

    registered(A)
    monkeypatch.setattr(MlflowClient, "set_registered_model_alias", fail)
    with pytest.raises(RegistryError, match=r"done, but the aliases .* disk full"):
        promoted(var)


def test_of_two_promotions_at_once_the_second_is_judged_against_the_first(registered: Register, var: Path) -> None:
    numbers = [registered(A), registered(B)]
    ready = Barrier(2)

    def attempt(number: str) -> Promotion | GateRefused:
        ready.wait()
        try:
            return promoted(var, version=number)
        except GateRefused as refused:
            return refused

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(attempt, numbers))
    (winner,) = (result for result in results if isinstance(result, Promotion))
    (loser,) = (result for result in results if isinstance(result, GateRefused))
    assert "run evaluate again" in str(loser)
    assert serving(var)["classify"] == f"heads/classify-{winner.version}"


def test_the_release_is_replaced_under_the_lock(
    registered: Register, var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked_write(bundles: Path, release: Release) -> None:
        with (bundles / LOCK_FILE).open() as stream, pytest.raises(BlockingIOError):
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        write_release(bundles, release)

    registered(A)
    monkeypatch.setattr(promotion_module, "write_release", locked_write)
    promoted(var)
    assert serving(var)["classify"] == f"heads/classify-{A}"
