"""Short queries have a graph of fewer layers, in the same vector space as passages."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from nlp_service.errors import BundleError
from nlp_service.inference.bundle import BUNDLE_FILE, QUERY, WHOLE, EncoderBundle, read_bundle
from nlp_service.inference.encoder import normalise
from nlp_service.inference.engine import Engine
from nlp_service.inference.release import SEARCH, read_release
from nlp_service.inference.search_encoder import SearchEncoder, is_short
from tests.conftest import BUNDLES
from tests.releases import copy_bundles

QUERY_TEXT = "網課聲音卡頓怎麼辦 E1001 😵"
LONG = "打印机连上以后驱动装了三遍还是提示脱机,重启也没用,换了 USB 口也没用," * 4


@pytest.fixture(scope="module")
def served() -> SearchEncoder:
    return SearchEncoder(BUNDLES / read_release(BUNDLES).serving[SEARCH], threads=1)


def test_a_short_query_goes_through_the_graph_of_queries_alone(engine: Engine) -> None:
    short, whole = engine.queries.encoder.passes, engine.search.encoder.passes
    engine.encode_query(f"{QUERY_TEXT} 一")
    assert (engine.queries.encoder.passes, engine.search.encoder.passes) == (short + 1, whole)


def test_a_long_query_goes_through_the_whole_encoder(engine: Engine) -> None:
    short, whole = engine.queries.encoder.passes, engine.search.encoder.passes
    engine.encode_query(LONG)
    assert engine.queries.encoder.passes == short
    assert engine.search.encoder.passes > whole


def test_both_graphs_share_a_vector_space(engine: Engine) -> None:
    texts = ["登录失败怎么办", "export the report as PDF", "闪退", "会员自动续费怎么关"]
    few = normalise(engine.queries.encoder.encode(texts))
    all_layers = normalise(engine.search.encoder.encode(texts))
    own = (few * all_layers).sum(axis=1)
    others = (few @ all_layers.T)[~np.eye(len(texts), dtype=bool)]
    assert own.min() > 0.9
    assert own.min() > others.max()


def test_tools_encode_as_the_service_does(engine: Engine, served: SearchEncoder) -> None:
    texts = [QUERY_TEXT, LONG]
    assert [is_short(engine.search_model, engine.search.windows([text])) for text in texts] == [True, False]
    expected = normalise(np.concatenate([engine.encode_query(text) for text in texts]))
    assert (normalise(served.query(texts)) * expected).sum(axis=1).min() > 0.999


def test_models_name_the_encoder_once(engine: Engine) -> None:
    assert len(engine.encoders) == len({one.fingerprint for one in engine.encoders})


class TestBundle:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        bundles = copy_bundles(tmp_path)
        served = bundles / read_release(bundles).serving[SEARCH]
        copy = served.with_name("search-copy")
        shutil.copytree(served, copy)
        return copy

    def test_a_graph_of_queries_that_is_not_whole_is_named(self, folder: Path) -> None:
        file = folder / BUNDLE_FILE
        text = file.read_text("utf-8")
        file.unlink()
        kept = [line for line in text.splitlines() if QUERY.graph not in line]
        file.write_text("\n".join(kept), "utf-8")
        with pytest.raises(BundleError, match=QUERY.graph):
            read_bundle(folder, EncoderBundle)

    def test_both_graphs_read_one_file_that_holds_the_words_once(self, folder: Path) -> None:
        bundle = read_bundle(folder, EncoderBundle)
        words = 250_037 * bundle.dimension
        assert sorted(file.suffix for file in folder.iterdir()).count(".bin") == 1
        assert words < (folder / WHOLE.weights).stat().st_size < 1.5 * words

    def test_without_one_the_whole_encoder_takes_queries(self, folder: Path) -> None:
        bundle = read_bundle(folder, EncoderBundle)
        files = {name: digest for name, digest in bundle.files.items() if name not in {QUERY.graph, QUERY.test_vectors}}
        whole = bundle.model_copy(update={"queries": None, "files": files})
        (folder / BUNDLE_FILE).unlink()
        (folder / BUNDLE_FILE).write_text(whole.model_dump_json(), "utf-8")
        alone = SearchEncoder(folder, threads=1)
        assert not is_short(whole, alone._whole.windows(["短"], "query"))
        assert np.array_equal(alone.query([QUERY_TEXT]), alone._whole.encode([QUERY_TEXT], "query"))
