"""How queries are encoded, and what their scores are worth: the last steps of a search encoder.

They can be taken again for an encoder that exists, since articles are not encoded differently for it.
"""

import json
from pathlib import Path
from typing import Any

from nlp_service.errors import BundleError
from nlp_service.inference.bundle import TOKENIZER_FILE
from nlp_service.inference.windows import Windower
from nlp_service.knowledge.relevance import Relevance
from training.base import load_base_spec, obtain_base
from training.base.source import fingerprint
from training.console import quiet_libraries, step
from training.encoder import TorchSession, encode, load_with_weights
from training.export import WINDOW_TOKENS
from training.places import Places
from training.search.config import SearchConfig
from training.search.figures import Encode, Vectors
from training.search.pairs import SearchData, read_search_data
from training.search.relevance import fit_relevance, measured_queries
from training.search.student import distillation_texts, train_student
from training.shallow import read_student, write_student
from training.stored import DESCRIPTION_FILE, read_description, stored_weights


def finish_queries(config: SearchConfig, places: Places, folder: Path) -> None:
    """Train the encoder of queries and fit the scores, for the search encoder whose source form lies in `folder`.

    Raises BundleError when the encoder is not what its description says.
    """
    quiet_libraries()
    spec = load_base_spec(places.models)
    base = obtain_base(spec, places.var)
    description = read_description(folder)
    weights = stored_weights(folder, base)
    if fingerprint(weights) != description["fingerprint"]:
        raise BundleError(f"{folder}: 权重与说明不符 · weights are not those of encoder.json")
    data = read_search_data(config.data, config.knowledge)
    teacher = load_with_weights(base, weights)
    student = teacher
    description.pop("queries", None)
    if config.student is not None:
        texts = distillation_texts(config.student, data)
        work = places.var / "training" / config.encoder
        trained = train_student(config.student, base, teacher, texts, spec.prefix.query, work)
        stored = write_student(folder, teacher, config.student.layers, trained)
        description["queries"] = {**stored, "max_tokens": config.student.longest_query}
        student = read_student(folder, teacher, description["queries"])
    with step("校准检索得分 · calibrate the scores of searches"):
        relevance = _relevance(
            data, _encode(student, base, spec.prefix.query), _encode(teacher, base, spec.prefix.passage)
        )
    description["relevance"] = relevance.model_dump()
    (folder / DESCRIPTION_FILE).write_text(json.dumps(description, indent=1) + "\n", "utf-8")


def _encode(transformer: Any, base: Path, prefix: str) -> Encode:
    session, windower = TorchSession(transformer), Windower(base / TOKENIZER_FILE, WINDOW_TOKENS)

    def encoded(texts: Any) -> Vectors:
        return encode(session, windower, texts, prefix, session.dimension)

    return encoded


def _relevance(data: SearchData, encode_query: Encode, encode_passage: Encode) -> Relevance:
    """Fitted on the validation split: what was trained on looks easier than it is."""
    queries = [query for query in data.queries if query.split == "validation"]
    return fit_relevance(measured_queries(data, queries, encode_query, encode_passage))
