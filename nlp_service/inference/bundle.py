"""Bundles: folders with weights and a `bundle.json` that says what they are and what each file's checksum is.

An encoder has a graph, a tokenizer and test vectors; a head has its weights and test answers. Which of them serve is
said by the release (`nlp_service.inference.release`). Nothing is loaded whose checksum does not match.
"""

import hashlib
import time
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from nlp_service.errors import BundleError

BUNDLE_FILE = "bundle.json"
SETTLED_NS = 2_000_000_000
"""A file whose times are older than this gets others when it is changed, however coarse the file system counts."""
UNIGRAM_FILE, TOKENIZER_FILE = "unigram.model", "tokenizer.json"
"""The tokenizer of an encoder, in one of two containers; see nlp_service/inference/tokenization.py."""


class GraphFiles(NamedTuple):
    """What one graph of an encoder consists of."""

    graph: str
    weights: str
    test_vectors: str


WHOLE = GraphFiles("encoder.xml", "encoder.bin", "test_vectors.safetensors")
QUERY = GraphFiles("query.xml", WHOLE.weights, "query_test_vectors.safetensors")
"""Of a search encoder: a graph with fewer layers that gives queries the same vectors (docs/decisions/0024).

Its weights lie behind those of the whole graph, with which it has the word embeddings in common.
"""
FIXED = GraphFiles("fixed.xml", WHOLE.weights, WHOLE.test_vectors)
"""The whole graph once more, with the ranges of its activations fixed when it was built (docs/decisions/0001).

For processors that gain from it. Its weights lie in the same file, with the word embeddings in common.
"""
Task = Literal["sentiment", "classify", "severity", "aspects"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Prefix(_Strict):
    """What the encoder expects before an input, for each side of a search."""

    query: str
    passage: str


class Comparison(_Strict):
    """Cosine similarity of the quantised encoder's vectors to the full-precision model's.

    A cross-encoder's vectors are the scores of each query's passages less their mean.
    """

    texts: int = Field(ge=1)
    cosine_mean: float
    cosine_min: float


class QueryGraph(_Strict):
    """A graph for queries: its vectors beside those of the whole encoder, and what it was trained for."""

    comparison: Comparison
    max_tokens: int = Field(ge=1)
    """Longer queries are encoded by the whole encoder."""


class Reranking(_Strict):
    """What a cross-encoder's scores are worth; see nlp_service/knowledge/reranking.py.

    Hits are ranked by `fused` times the logit of their probability in the fused search plus `scored` times the
    cross-encoder's score; the logit of the new probability is `strength` times this sum, plus `lead` times its distance
    to the best other hit, plus `intercept`.
    """

    fused: float
    scored: float
    strength: float
    lead: float
    intercept: float


class EncoderBundle(_Strict):
    """An encoder as the service runs it: of texts, or, as a cross-encoder, of pairs of a query and a passage."""

    kind: Literal["encoder"] = "encoder"
    name: str
    version: str
    base: str
    fingerprint: Sha256
    """SHA-256 of the full-precision weights; heads name it. Of a cross-encoder, of everything that it was made from."""
    pooling: Literal["mean", "score"]
    """`score`: of a cross-encoder, which gives one number for a pair."""
    prefix: Prefix
    window_tokens: int = Field(ge=16, le=8192)
    """Longer texts are encoded in several windows whose token states are averaged together; longer pairs are cut."""
    dimension: int = Field(ge=1)
    precision: Literal["int8-static", "int8-dynamic"]
    """Weights in 8 bits; ranges of activations found for each token when it runs, or (static) there is a graph beside
    whose ranges were fixed when it was built."""
    comparison: Comparison
    fixed: Comparison | None = None
    """Of the graph with fixed ranges."""
    relevance: dict[str, Any] | None = None
    """Of a search encoder: what turns its cosines into probabilities; see nlp_service/knowledge/relevance.py."""
    likeness: dict[str, Any] | None = None
    """Of a search encoder: what turns cosines of tickets into probabilities; see nlp_service/knowledge/likeness.py."""
    queries: QueryGraph | None = None
    """Of a search encoder whose queries have a graph of their own."""
    reranking: Reranking | None = None
    """Of a cross-encoder."""
    files: dict[str, Sha256]

    @property
    def tokenizer_file(self) -> str:
        """Name of the file with the tokenizer."""
        return UNIGRAM_FILE if UNIGRAM_FILE in self.files else TOKENIZER_FILE

    @field_validator("files")
    @classmethod
    def _has_a_tokenizer(cls, files: dict[str, Sha256]) -> dict[str, Sha256]:
        if not files.keys() & {UNIGRAM_FILE, TOKENIZER_FILE}:
            raise ValueError(f"缺少分词器 · no tokenizer: {UNIGRAM_FILE} or {TOKENIZER_FILE}")
        return files

    @model_validator(mode="after")
    def _has_its_query_graph(self) -> "EncoderBundle":
        if self.queries is not None and (missing := set(QUERY) - self.files.keys()):
            raise ValueError(f"查询编码器不完整 · the graph for queries lacks: {', '.join(sorted(missing))}")
        return self

    @model_validator(mode="after")
    def _has_its_fixed_graph(self) -> "EncoderBundle":
        if self.precision == "int8-static" and (self.fixed is None or FIXED.graph not in self.files):
            raise ValueError(f"缺少固定量程的计算图 · the graph with fixed ranges is missing: {FIXED.graph}")
        return self


class EncoderReference(_Strict):
    """The encoder that a head was trained on."""

    name: str
    fingerprint: Sha256


class HeadBundle(_Strict):
    """A head: from an encoder's pooled vector to calibrated probabilities of one task."""

    kind: Literal["head"] = "head"
    task: Task
    version: str
    labels: tuple[str, ...]
    encoder: EncoderReference
    aspects: tuple[str, ...] = ()
    """What a head of several outputs answers about, each with one of `labels`; empty for a head of one answer."""
    temperature: float = Field(gt=0)
    review_threshold: float = Field(ge=0, le=1)
    """Answers whose top probability is lower are marked `needs_review`."""
    presence_threshold: float = Field(default=0.5, ge=0, le=1)
    """With `aspects`: one is spoken of when the probability that it is not absent reaches this."""
    metrics: dict[str, dict[str, float]]
    """For each test set: name of the figure to its value."""
    data: dict[str, Sha256]
    """Fingerprint of each data split."""
    files: dict[str, Sha256]


Manifest = TypeVar("Manifest", EncoderBundle, HeadBundle)


REQUIRED: dict[type[BaseModel], set[str]] = {
    EncoderBundle: set(WHOLE),
    HeadBundle: {"head.safetensors", "test_answers.safetensors"},
}


def read_bundle(folder: Path, schema: type[Manifest]) -> Manifest:
    """Read and verify the bundle in `folder`; raises BundleError when it is missing, damaged or of another kind."""
    file = folder / BUNDLE_FILE
    try:
        manifest = schema.model_validate_json(file.read_bytes())
    except FileNotFoundError as error:
        raise BundleError(f"{folder}: 没有模型包,请先运行 · no bundle here, run: nlp-service models build") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise BundleError(f"{file}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    if unlisted := REQUIRED[schema] - manifest.files.keys():
        raise BundleError(f"{file}: files: 缺少 · missing: {', '.join(sorted(unlisted))}")
    for name, expected in manifest.files.items():
        if Path(name).name != name:
            raise BundleError(f"{file}: file name {name!r} leaves the bundle")
        verify_file(folder / name, expected)
    return manifest


def verify_file(file: Path, expected: str) -> None:
    """Raise BundleError unless `file` exists and has this SHA-256."""
    if not file.is_file():
        raise BundleError(f"{file}: 文件缺失 · missing")
    if (found := _sha256_now(file)) != expected:
        raise BundleError(f"{file}: 校验和不符 · sha256 is {found}, expected {expected}")


def _sha256_now(file: Path) -> str:
    """SHA-256 of a file; of one that this process read before, and that has not changed since, it is remembered.

    A start reads every bundle two or three times. One that was just changed is read: its times may not tell it yet.
    """
    state = file.stat()
    if abs(time.time_ns() - state.st_ctime_ns) < SETTLED_NS:
        return sha256(file)
    identity = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
    return _remembered_sha256(file, identity)


@lru_cache(maxsize=256)
def _remembered_sha256(file: Path, identity: tuple[int, ...]) -> str:  # noqa: ARG001 - another identity, another file
    return sha256(file)


def sha256(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
