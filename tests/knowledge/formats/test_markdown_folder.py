"""A folder of Markdown files reads back as the articles that it was written from."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st

from nlp_service.errors import ServiceError
from nlp_service.knowledge.article import ArticleCreate
from nlp_service.knowledge.formats.article_page import BEGINNING, page_of
from nlp_service.knowledge.formats.export import PAGE, Selection
from nlp_service.knowledge.formats.files import files_of
from nlp_service.knowledge.formats.importing import Importer
from nlp_service.knowledge.formats.markdown_folder import export_folder, file_name
from nlp_service.knowledge.formats.registry import read
from nlp_service.knowledge.formats.source import Source
from nlp_service.knowledge.records import Good
from nlp_service.knowledge.store import ArticleStore, ImportCounts
from nlp_service.storage.database import Database
from tests.knowledge.conftest import new_article
from tests.knowledge.formats.samples import bad, good

HARD = {
    "title": "../CON: *? 网课\u200b声音 \ufffd",
    "problem": "# 标题\n## 问题\n\\## 解决方案 \n---\n**粗** <b>x</b>\r\n完\u2028了",
    "scenario": "",
    "solution": "## 场景\n1. 一\n\n\n   2. 二\n```\n## 问题\n```",
    "tags": ["--- 1", "a: b", "on", "2026-11-22", '"a'],
    "product": "null",
    "external_id": "1e3",
    "status": "published",
}
_LINES = st.lists(
    st.sampled_from(["## 问题", "\\## 场景", "## 解决方案\t", "---", "format: x", "\r"]) | st.text(max_size=8),
    max_size=4,
)
_TEXTS = _LINES.map(lambda lines: "\n".join(["a", *lines]))
_NAMES = st.text(max_size=12).map(lambda text: f"{text}a")


def _export(database: Database, folder: Path, selection: Selection | None = None, *, replace: bool = False) -> int:
    return export_folder(database, selection or Selection(), folder, replace=replace, done=lambda _: None)


def _articles(folder: Path) -> list[ArticleCreate]:
    found = []
    for file in files_of([folder]):
        with file.path.open("rb") as stream:
            found += [entry.article for entry in read(Source(file.name, stream)) if isinstance(entry, Good)]
    return found


def _contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture
def filled(store: ArticleStore) -> ArticleStore:
    store.create(new_article(**HARD))
    store.create(new_article(title="没有编号", product="报表"))
    return store


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An empty folder."""
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


@pytest.mark.usefixtures("filled")
def test_what_is_exported_reads_as_it_was_stored(database: Database, tmp_path: Path) -> None:
    assert _export(database, tmp_path / "kb") == 2
    assert _articles(tmp_path / "kb")[0].model_dump() == HARD


def test_importing_what_was_exported_changes_nothing(filled: ArticleStore, database: Database, tmp_path: Path) -> None:
    _export(database, tmp_path / "before")
    importer = Importer(filled, database)
    importer.add(_articles(tmp_path / "before"))
    _export(database, tmp_path / "after")
    assert importer.counts == ImportCounts(unchanged=2)
    assert _contents(tmp_path / "after") == _contents(tmp_path / "before")


@settings(max_examples=60, deadline=None)
@example(fields=new_article(title="a\x85b", problem="a\x85b", tags=["0\x85a", "\u2028a"]).model_dump())
@given(fields=st.fixed_dictionaries({
    "title": _NAMES, "problem": _TEXTS, "scenario": st.just("") | _TEXTS, "solution": _TEXTS,
    "tags": st.lists(_NAMES, max_size=3), "product": st.none() | _NAMES, "external_id": st.none() | _NAMES,
}))  # fmt: skip
def test_every_article_reads_as_it_was_written(fields: dict[str, object]) -> None:
    try:
        article = ArticleCreate.model_validate(fields).model_dump()
    except ValueError:  # a character that no article may have, or personal data
        reject()
    (read_back,) = good("a.md", page_of(article))
    assert read_back.article.model_dump() == article


def test_a_file_whose_line_ends_a_tool_changed_reads_the_same() -> None:
    article = new_article(problem="一\n## 问题\n二").model_dump()
    (entry,) = good("a.md", page_of(article).replace("\n", "\r\n"))
    assert entry.article.model_dump() == article


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("text\n## 问题\na\n", "must stand under these headings"),
        ("## 问题\na\n## 问题\nb\n", "problem: 标题“## 问题”出现两次"),
        ("## 问题\na\n", "title: "),
    ],
)
def test_a_file_that_lost_its_form_is_refused(body: str, reason: str) -> None:
    (entry,) = bad("a.md", f"{BEGINNING}---\n{body}")
    assert reason in entry.reason


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("VPN 无法连接", "000012-vpn-无法连接.md"),
        ("../../etc/passwd", "000012-etc-passwd.md"),
        ("a\x1b[31m\u202eb\\c", "000012-a-31m-b-c.md"),
        ("!", "000012.md"),
    ],
)
def test_a_file_name_has_only_letters_and_digits_of_the_title(title: str, name: str) -> None:
    assert file_name(12, title) == name


def test_a_file_name_fits_every_file_system() -> None:
    assert len(file_name(12, "课" * 200).encode()) < 150


def test_more_articles_than_a_page_are_exported(store: ArticleStore, database: Database, tmp_path: Path) -> None:
    _import(store, [str(number) for number in range(PAGE + 1)])
    assert _export(database, tmp_path / "kb") == len(_contents(tmp_path / "kb")) == PAGE + 1


def _interrupt(_: int) -> None:
    raise KeyboardInterrupt


def _import(store: ArticleStore, titles: Sequence[str]) -> None:
    store.import_articles([new_article(title=title, problem="提示超时", external_id=title) for title in titles])


@pytest.mark.usefixtures("filled")
class TestAFolderThatExists:
    def test_an_empty_one_is_filled(self, database: Database, place: Path) -> None:
        assert _export(database, place) == len(_contents(place)) == 2

    def test_one_with_files_is_refused(self, database: Database, place: Path) -> None:
        (place / "notes.md").write_text("x", "utf-8")
        with pytest.raises(ServiceError, match="not empty"):
            _export(database, place)
        assert list(_contents(place)) == ["notes.md"]

    def test_a_file_in_its_place_is_refused(self, database: Database, place: Path) -> None:
        (place / "kb").write_text("x", "utf-8")
        with pytest.raises(ServiceError, match="not a folder"):
            _export(database, place / "kb", replace=True)

    def test_an_earlier_export_is_replaced_and_other_files_stay(self, database: Database, place: Path) -> None:
        _export(database, place)
        (place / "1-notes.md").write_text("x", "utf-8")
        _export(database, place, Selection(product="报表"), replace=True)
        assert set(_contents(place)) == {"000002-没有编号.md", "1-notes.md"}

    @pytest.mark.parametrize("exists", [True, False])
    def test_an_export_that_is_interrupted_leaves_nothing(
        self, database: Database, place: Path, *, exists: bool
    ) -> None:
        folder = place / "kb"
        if exists:
            folder.mkdir()
        with pytest.raises(KeyboardInterrupt):
            export_folder(database, Selection(), folder, replace=False, done=_interrupt)
        assert list(place.rglob("*")) == ([folder] if exists else [])
