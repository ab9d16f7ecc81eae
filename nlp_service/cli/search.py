"""``nlp-service search``."""

from typing import Annotated

import typer
from rich.markup import escape

from nlp_service.cli.console import output
from nlp_service.cli.runtime import open_engine, open_knowledge
from nlp_service.inference.encoder import normalise
from nlp_service.knowledge.facets import Filters
from nlp_service.knowledge.relevance import Mode
from nlp_service.knowledge.reranking import rerank
from nlp_service.settings import Settings
from nlp_service.text.validation import check_text

app = typer.Typer(add_completion=False)


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="用自己的话描述问题 · the problem in your own words")],
    top_k: Annotated[int, typer.Option(min=1, max=100, help="返回条数 · number of hits")] = 5,
    mode: Annotated[Mode, typer.Option(help="检索方式 · how to search")] = "hybrid",
    product: Annotated[list[str] | None, typer.Option(help="限定产品 · only these products")] = None,
    min_score: Annotated[float, typer.Option(min=0, max=1, help="最低把握 · least probability")] = 0.0,
) -> None:
    """检索知识库 · search the knowledge base."""
    check_text(query, field="query")
    settings = Settings()
    with open_engine(settings) as engine, open_knowledge(settings, engine) as knowledge:
        vector = None if mode == "lexical" else normalise(engine.encode_query(query))
        filters = Filters(product=frozenset(product) if product else None)
        reranker = engine.reranker if mode == "hybrid" else None
        depth = max(top_k, reranker.top) if reranker else top_k
        hits = knowledge.search.search(query, vector, top_k=depth, mode=mode, filters=filters)
        if reranker:
            hits = rerank(query, hits, reranker)
        hits = [hit for hit in hits[:top_k] if hit.score >= min_score]
    if not hits:
        output.print("没有找到 · nothing found")
    for rank, hit in enumerate(hits, start=1):
        found = hit.document
        origin = f"{hit.score:.0%} · {found.kind} · {escape(found.product or '–')}"
        output.print(f"[bold]{rank}. {escape(found.title)}[/bold]  [dim]{origin}[/dim]")
        for part in hit.highlights[:1]:
            output.print(f"   {_emphasise(part.text, part.spans)}")


def _emphasise(text: str, spans: list[tuple[int, int]]) -> str:
    pieces, last = [], 0
    for start, end in spans:
        pieces += [escape(text[last:start]), f"[green]{escape(text[start:end])}[/green]"]
        last = end
    return "".join([*pieces, escape(text[last:])])
