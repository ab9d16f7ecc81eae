"""How well the probabilities of search hold, as they serve and as they would be fitted anew.

``python -m training.search.relevance_report [--newer q-0421] [--update]`` prints the figures of docs/decisions/0014 and
fits the calibrations again for the search encoder that serves, its weights of the ranking as they are. Every held-out
query is asked of all articles, and of all but the one that answers it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.table import Table

from nlp_service.errors import BundleError
from nlp_service.inference.bundle import EncoderBundle
from nlp_service.inference.release import SEARCH, read_release
from nlp_service.inference.search_encoder import SearchEncoder
from nlp_service.knowledge.relevance import MODES, Found, Mode, Relevance, relevance_of
from training.console import console
from training.metrics import expected_calibration_error
from training.places import Places
from training.search.figures import roc_auc
from training.search.pairs import Query, SearchData, read_search_data
from training.search.relevance import Measured, Values, fit_calibrations, measured_queries
from training.stored import DESCRIPTION_FILE

FEW_WORDS = 5
LEAST = 0.5
"""What `min_score` is taken to be."""
# fmt: off
WORDS = (
    "登不上", "登录", "打不开", "闪退", "报错", "退款", "发票", "密码", "怎么办", "很慢", "卡顿", "更新", "验证码",
    "没反应", "用不了", "不能用", "失败", "会员", "客服", "支付", "超时", "连不上", "白屏", "声音", "导出", "打印",
    "删除", "同步", "权限", "网络", "登录不了", "付不了款", "收不到短信", "如何注册", "怎么退货", "天气预报",
    "红烧肉做法", "股票代码", "你好", "在吗", "login", "crash", "refund", "help", "error",
)
# fmt: on
"""Too general for any one article to be their answer, or of no article's matter."""


@dataclass(frozen=True, eq=False)
class FirstHits:
    """The first hit of each search: of all articles, then of all but the one that answers."""

    probabilities: Values
    right: NDArray[np.bool_]
    lacking: NDArray[np.bool_]
    words: Values

    def figures(self, chosen: NDArray[np.bool_]) -> list[str]:
        """Log loss, Brier score, calibration error, precision and recall at LEAST, and ROC AUC of answerable."""
        probable, right = np.clip(self.probabilities[chosen], 1e-9, 1 - 1e-9), self.right[chosen]
        named = probable >= LEAST
        values = (
            -np.where(right, np.log(probable), np.log(1 - probable)).mean(),
            ((probable - right) ** 2).mean(),
            expected_calibration_error(probable[:, None].astype(np.float32), (~right).astype(np.int64)),
            right[named].mean(),
            right[named].sum() / right.sum(),
            (named & self.lacking[chosen]).sum() / self.lacking[chosen].sum(),
            roc_auc(probable, ~self.lacking[chosen]),
        )
        return [f"{value:.3f}" for value in values]


def main(
    newer: Annotated[str, typer.Option(help="first query that is newer than the encoder: trained on none since")] = "",
    update: Annotated[bool, typer.Option(help="write what was fitted into models/encoders/search")] = False,
    home: Annotated[Path, typer.Option(help="folder with models/, data/ and var/")] = Path(),
) -> None:
    """Print a table; see the module."""
    places = Places(home / "models", home / "data", home / "var")
    data = read_search_data(places.data / "search", places.data / "knowledge")
    encoder = SearchEncoder(places.bundles / read_release(places.bundles).serving[SEARCH], threads=0)
    bundle = encoder.bundle
    stored = relevance_of(bundle.relevance)
    untrained = [one for one in data.queries if not one.held_out and (one.split != "train" or "" < newer <= one.id)]
    fit = measured_queries(data, untrained, encoder.query, encoder.passage)
    fitted = stored.model_copy(update=fit_calibrations(fit, stored.cosine, stored.lexical))
    held_out = measured_queries(data, [one for one in data.queries if one.held_out], encoder.query, encoder.passage)
    console.print(f"fitted on {len(untrained)} queries, held out {len(held_out.answer)}")
    _print(held_out, {"serves": stored, "fitted": fitted})
    _print_words(data, encoder, {"serves": stored, "fitted": fitted})
    for mode in MODES:
        console.print(f"{mode}: {getattr(fitted, f'{mode}_calibration')}")
    if update:
        _update(places.models / "encoders" / SEARCH / DESCRIPTION_FILE, bundle, fitted)


def first_hits(data: Measured, relevance: Relevance, mode: Mode) -> FirstHits:
    """Of every query, with its answer and without."""
    rows = []
    for cosines, shares, words, own in zip(data.cosines, data.shares, data.words, data.answer, strict=True):
        for lacking in (False, True):
            here = np.ones(len(cosines), bool)
            here[own] = not lacking
            strengths = relevance.strengths(mode, cosines[here].tolist(), shares[here].tolist())
            probabilities = relevance.probabilities(mode, Found(strengths, shares[here], words))
            best = int(strengths.argmax())
            rows.append((probabilities[best], np.flatnonzero(here)[best] == own, lacking, words))
    probable, right, without, said = (np.array(column) for column in zip(*rows, strict=True))
    return FirstHits(probable, right, without, said)


def _print(data: Measured, ways: Mapping[str, Relevance]) -> None:
    named = f"at {LEAST}"
    table = Table(
        "search", "queries", "", "log loss", "Brier", "ECE", f"precision {named}", f"recall {named}", "lacking", "AUC"
    )
    for mode in MODES:
        for name, relevance in ways.items():
            found = first_hits(data, relevance, mode)
            few = found.words <= FEW_WORDS
            for part, chosen in (("all", few | ~few), (f"up to {FEW_WORDS} words", few), ("more", ~few)):
                table.add_row(mode, f"{part} ({int(chosen.sum()) // 2})", name, *found.figures(chosen))
    console.print(table)


def _print_words(data: SearchData, encoder: SearchEncoder, ways: Mapping[str, Relevance]) -> None:
    """What the words alone reach, which nothing answers."""
    key = next(iter(data.articles))
    queries = [Query(id="w", query=word, external_id=key, kind="terse", language="zh") for word in WORDS]
    asked = measured_queries(data, queries, encoder.query, encoder.passage)
    for name, relevance in ways.items():
        hits = first_hits(asked, relevance, "hybrid")
        found = hits.probabilities[~hits.lacking]
        console.print(
            f"{len(WORDS)} single words, {name}: mean {found.mean():.3f}, {WORDS[0]} {found[0]:.3f}, "
            f"{LEAST} or more {(found >= LEAST).mean():.3f}"
        )


def _update(file: Path, bundle: EncoderBundle, fitted: Relevance) -> None:
    description = json.loads(file.read_text("utf-8"))
    if description["fingerprint"] != bundle.fingerprint:
        raise BundleError(f"{file}: 现役的是另一编码器 · another encoder serves: {bundle.fingerprint[:12]}")
    description["relevance"] = fitted.model_dump()
    file.write_text(json.dumps(description, indent=1) + "\n", "utf-8")
    console.print(f"[green]✓[/green] {file}")


if __name__ == "__main__":
    typer.run(main)
