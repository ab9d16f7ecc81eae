from dataclasses import replace
from pathlib import Path

import pytest

from training.audit import AuditReport, write_markdown
from training.audit.label_issues import LabelIssues, Suspect
from training.audit.markdown import render
from training.audit.markdown_texts import label_issue_section
from training.data.example import Example

from .texts import audited, of_train, opinions, reviews, sentiment

SAID = "绝密的话"


def section(content: str, heading: str) -> str:
    """From the heading that contains `heading` to the next."""
    return next(part for part in content.split("\n#") if heading in part.split("\n")[0])


@pytest.fixture(scope="module")
def faulty() -> AuditReport:
    """A report with findings of every kind, and SAID in every text."""
    similar = f"{SAID}:导出报表一直转圈,等了半个小时还是不行"
    wrong = [
        sentiment(f"wrong-{n}", f"{text}{SAID}", "positive") for n, text in enumerate(opinions("negative", 6, seed=9))
    ]
    train = [
        *(replace(example, text=f"{example.text}{SAID}") for example in reviews(40)),
        *wrong,
        sentiment("copy-1", f"{SAID}|一", "negative"),
        sentiment("copy-2", f"{SAID}|一", "positive"),
        sentiment("near-1", similar, "negative"),
        sentiment("call", f"{SAID}打13812345678", "neutral"),
        sentiment("long", SAID + "长" * 100, "neutral"),
        sentiment("long", SAID + "短", "neutral"),
    ]
    return audited(train, test=[sentiment("near-2", f"{similar}!", "neutral")])


def test_the_file_holds_the_report(faulty: AuditReport, tmp_path: Path) -> None:
    write_markdown(faulty, tmp_path / "audit.md")
    assert (tmp_path / "audit.md").read_text(encoding="utf-8") == render(faulty)


def test_an_older_report_is_replaced(faulty: AuditReport, tmp_path: Path) -> None:
    (tmp_path / "audit.md").write_text("old", encoding="utf-8")
    write_markdown(faulty, tmp_path / "audit.md", show_text=False)
    assert (tmp_path / "audit.md").read_text(encoding="utf-8") == render(faulty, show_text=False)


def test_nothing_but_the_report_is_left_in_the_folder(faulty: AuditReport, tmp_path: Path) -> None:
    write_markdown(faulty, tmp_path / "audit.md")
    assert [file.name for file in tmp_path.iterdir()] == ["audit.md"]


def test_the_older_report_stays_when_a_new_one_cannot_be_written(faulty: AuditReport, tmp_path: Path) -> None:
    (tmp_path / "audit.md").write_text("old", encoding="utf-8")
    (tmp_path / "audit.md.partial").mkdir()
    with pytest.raises(OSError, match="partial"):
        write_markdown(faulty, tmp_path / "audit.md")
    assert (tmp_path / "audit.md").read_text(encoding="utf-8") == "old"


def test_every_heading_is_bilingual(faulty: AuditReport) -> None:
    headings = [line for line in render(faulty).split("\n") if line.startswith("#") and "sentiment" not in line]
    assert (len(headings), all(" · " in heading for heading in headings)) == (11, True)


def test_all_problems_are_listed(faulty: AuditReport) -> None:
    summary = section(render(faulty), "Data audit")
    assert (summary.count("| error |"), summary.count("| warning |")) == (
        sum(problem.severity == "error" for problem in faulty.problems),
        sum(problem.severity == "warning" for problem in faulty.problems),
    )


@pytest.mark.parametrize(
    "heading",
    ["Schema problems", "Equal and similar texts", "Conflicting labels", "### sentiment", "Repeated openings"],
)
def test_texts_are_shown_under(heading: str, faulty: AuditReport) -> None:
    assert SAID in section(render(faulty), heading.removeprefix("#"))


def test_without_texts_only_ids_are_shown(faulty: AuditReport) -> None:
    content = render(faulty, show_text=False)
    assert (SAID in content, "train: near-1, test: near-2" in content) == (False, True)


def test_personal_data_is_masked(faulty: AuditReport) -> None:
    content = render(faulty)
    assert ("13812345678" in content, r"138\*\*\*\*5678" in content) == (False, True)


def test_texts_are_cut_to_eighty_characters(faulty: AuditReport) -> None:
    assert f"| {SAID}{'长' * 75}… |" in render(faulty)


def test_pipes_in_texts_do_not_divide_cells(faulty: AuditReport) -> None:
    assert rf"| {SAID}\|一 |" in render(faulty)


def test_similar_texts_are_shown_side_by_side(faulty: AuditReport) -> None:
    assert f" ⇄ {SAID}:导出报表" in section(render(faulty), "Equal and similar texts")


def test_the_worst_thirty_suspects_are_shown_and_the_rest_counted() -> None:
    entries = of_train(*(Example(f"text-{number}", "好", "t") for number in range(42)))
    suspects = tuple(Suspect(entry, "positive", "negative", 0.1) for entry in entries)
    content = "\n".join(label_issue_section([LabelIssues("sentiment", suspects=suspects)], show_text=True))
    assert ("text-29 " in content, "text-30 " in content, "and 12 more" in content) == (True, False, True)


def test_tasks_that_nobody_labelled_are_named() -> None:
    content = section(render(audited(reviews(5))), "Labels by task")
    assert "classify, severity, aspects/functions" in content


def test_english_texts_alone_are_reported() -> None:
    texts = [Example(f"e{n}", f"It crashed {n} times", "t", slices={"language": "en"}) for n in range(3)]
    assert "| en | 3 | 0 | 0 |" in render(audited(texts))


def test_no_texts_at_all_are_reported() -> None:
    assert "train has no texts" in render(audited())
