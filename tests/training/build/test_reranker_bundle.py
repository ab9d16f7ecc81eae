"""A cross-encoder becomes the reranker that serves, and is taken back."""

from pathlib import Path

import pytest

from nlp_service.errors import BundleError
from nlp_service.inference.bundle import EncoderBundle, read_bundle
from nlp_service.inference.encoder import Encoder
from nlp_service.inference.release import RERANKER, SEARCH, read_release
from nlp_service.inference.rollback import roll_back
from tests.conftest import BUNDLES
from tests.crossencoders import MAX_TOKENS, install_among_few
from tests.releases import copy_bundles


@pytest.fixture(scope="module")
def bundle(reranking_bundles: Path) -> EncoderBundle:
    return read_bundle(reranking_bundles / read_release(reranking_bundles).serving[RERANKER], EncoderBundle)


def test_it_serves_beside_what_served_before(reranking_bundles: Path) -> None:
    serving = dict(read_release(reranking_bundles).serving)
    assert serving.pop(RERANKER).startswith("encoders/reranker-")
    assert serving == read_release(BUNDLES).serving


def test_the_bundle_says_what_it_was_made_from(bundle: EncoderBundle) -> None:
    assert (bundle.base, bundle.pooling, bundle.window_tokens) == ("tiny", "score", MAX_TOKENS)


def test_quantised_scores_are_close_to_full_precision(bundle: EncoderBundle) -> None:
    assert bundle.comparison.cosine_min >= 0.98


def test_it_passes_its_own_test_scores(reranking_bundles: Path) -> None:
    Encoder.load(reranking_bundles / read_release(reranking_bundles).serving[RERANKER], threads=1)


def test_a_random_model_gets_less_weight_than_the_search(bundle: EncoderBundle) -> None:
    assert bundle.reranking is not None
    assert bundle.reranking.scored < bundle.reranking.fused


def test_what_is_no_cross_encoder_changes_nothing(tmp_path: Path) -> None:
    bundles = copy_bundles(tmp_path / "home")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError, match="is missing"):
        install_among_few(tmp_path / "empty", bundles)
    assert read_release(bundles) == read_release(BUNDLES)


def test_taken_back_nothing_ranks_again(reranking_bundles: Path, tmp_path: Path) -> None:
    bundles = tmp_path / "bundles"
    bundles.mkdir()
    for entry in reranking_bundles.iterdir():
        if entry.is_dir():
            (bundles / entry.name).symlink_to(entry)
    (bundles / "release.json").write_bytes((reranking_bundles / "release.json").read_bytes())
    roll_back(bundles, RERANKER)
    assert read_release(bundles).serving == read_release(BUNDLES).serving
    assert SEARCH in read_release(bundles).serving
