"""Fits the likeness of tickets with the bundles that serve, and prints the figures of docs/decisions/0015.

``python -m training.search.duplicates_report``
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from nlp_service.inference.engine import Engine
from nlp_service.knowledge.clusters import Points, clusters
from nlp_service.knowledge.frequent import NO_CONTENT
from nlp_service.knowledge.likeness import Likeness, log_lengths
from training.console import console
from training.data.sources import Ticket, read_lines
from training.search.duplicates import (
    THRESHOLDS,
    Group,
    PairTable,
    Repeat,
    Text,
    agreement,
    b_cubed,
    fit_likeness,
    pair_table,
    wording_pairs,
)
from training.search.pairs import Wordings, split_of

CHUNK = 64
REPEATS_FILE = "repeats.jsonl"
Encode = Callable[[Sequence[str]], NDArray[np.float32]]
Labels = Callable[[Sequence[str]], list[str]]
Repeats = list[tuple[Repeat, Text, Text]]
Tickets = dict[str, list[tuple[str, Text]]]


def report(data: Path, encode: Encode, labels: Labels) -> None:
    """Print everything; `encode` gives vectors of passages, shape (texts, dimension), `labels` what each is taken for.

    Tickets keep the label that they were given; all wordings count as of one class. Raises DataError.
    """
    tickets, repeats = read_repeats(data / "tickets", data / "search" / REPEATS_FILE, encode, labels)
    pairs = pair_table(tickets, repeats)
    likeness = fit_likeness(pairs)
    console.print(likeness)
    for fitted in (True, False):
        _print_agreement(pairs, likeness, tickets, fitted=fitted)
    wordings = read_lines(data / "search" / "wordings.jsonl", Wordings)
    _print_wordings([group for group in wordings if split_of(group.id) == "test"], likeness, encode)
    for fitted in (True, False):
        _print_groups(repeats, tickets, likeness, fitted=fitted)


def read_repeats(folder: Path, file: Path, encode: Encode, labels: Labels) -> tuple[Tickets, Repeats]:
    """The tickets in a folder by product, and those told again in a file; `encode` and `labels` as for `report`."""
    return _tickets(folder, encode), _repeats(file, encode, labels)


def _tickets(folder: Path, encode: Encode) -> Tickets:
    lines = [ticket for file in sorted(folder.glob("*.jsonl")) for ticket in read_lines(file, Ticket)]
    found: Tickets = defaultdict(list)
    for ticket, vector in zip(lines, encode([ticket.text for ticket in lines]), strict=True):
        found[ticket.product].append((ticket.id, Text(ticket.text, ticket.label, vector)))
    return found


def _repeats(file: Path, encode: Encode, labels: Labels) -> Repeats:
    lines = read_lines(file, Repeat)
    texts = [text for line in lines for text in (line.same, line.different)]
    known = [Text(*one) for one in zip(texts, labels(texts), encode(texts), strict=True)]
    return list(zip(lines, known[::2], known[1::2], strict=True))


def _print_agreement(pairs: PairTable, likeness: Likeness, tickets: Tickets, *, fitted: bool) -> None:
    side = pairs.fitted == fitted
    counts = ", ".join(f"{group} {int((side & (pairs.group == group)).sum()):,}" for group in get_args(Group))
    console.print(f"repeats, {'fitted on' if fitted else 'test'}: {counts}")
    with_content = sum(
        text.label != NO_CONTENT
        for product, some in tickets.items()
        if (split_of(product) == "train") == fitted
        for _, text in some
    )
    for threshold in THRESHOLDS:
        one = agreement(pairs, likeness, threshold, with_content, fitted=fitted)
        console.print(
            f"  {threshold:.2f}: precision {one.precision:.3f}, recall {one.recall:.3f}, F1 {one.f1:.3f}, "
            f"look-alikes {one.look_alikes}, false alarms a ticket {one.false_alarms:.4f}, "
            f"expected precision ×1 {one.expected_precision(1):.3f}, ×25 {one.expected_precision(25):.3f}"
        )


def _print_wordings(groups: Sequence[Wordings], likeness: Likeness, encode: Encode) -> None:
    texts = list(dict.fromkeys(text for group in groups for text in (*group.same, *group.different)))
    vectors = dict(zip(texts, encode(texts), strict=True))
    pairs = wording_pairs(groups, lambda text: Text(text, "", vectors[text]))
    console.print(f"wordings, test: {int(pairs.same.sum())} of {len(pairs.same):,} pairs")
    for threshold in THRESHOLDS:
        one = agreement(pairs, likeness, threshold, 0, fitted=False)
        console.print(
            f"  {threshold:.2f}: precision {one.precision:.3f}, recall {one.recall:.3f}, F1 {one.f1:.3f}, "
            f"look-alikes {one.look_alikes}"
        )


def _print_groups(repeats: Repeats, tickets: Tickets, likeness: Likeness, *, fitted: bool) -> None:
    """Tickets with their repeats and look-alikes, thrown together and grouped."""
    by_number = {number: text for some in tickets.values() for number, text in some}
    texts: list[Text] = []
    matters: list[int] = []
    for repeat, same, different in repeats:
        if (split_of(repeat.id) == "train") == fitted:
            matters += [len(texts), len(texts), len(texts) + 1]
            texts += [by_number[repeat.ticket], same, different]
    _, codes = np.unique([text.label for text in texts], return_inverse=True)
    points = Points(np.stack([text.vector for text in texts]), log_lengths([text.text for text in texts]), codes)
    console.print(f"groups, {'fitted on' if fitted else 'test'}: {len(texts)} texts")
    alone = [np.array([place]) for place in range(len(texts))]
    for name, groups in (("alone", alone), *((f"{t:.2f}", clusters(points, t, likeness)) for t in THRESHOLDS)):
        precision, recall, f1 = b_cubed(matters, groups)
        console.print(f"  {name}: B³ precision {precision:.3f}, recall {recall:.3f}, F1 {f1:.3f}")


def main() -> None:
    """With the bundles and the data of this folder."""
    engine = Engine.load(Path("var/bundles"), threads=0)
    try:
        report(
            Path("data"),
            lambda texts: np.concatenate(
                [engine.encode_passages(texts[start : start + CHUNK]) for start in range(0, len(texts), CHUNK)]
            ),
            lambda texts: [
                one.label
                for start in range(0, len(texts), CHUNK)
                for one in engine.classifications(engine.encode(texts[start : start + CHUNK], ("classify",)))
            ],
        )
    finally:
        engine.close()


if __name__ == "__main__":
    main()
