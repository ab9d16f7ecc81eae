"""DOCX: Word's headings make sections; damage and references lead nowhere."""

import pytest

from nlp_service.errors import InvalidRecord
from tests.knowledge.formats.samples import OFFICE, PACKAGE, WORD, docx, entries, good

TEXT = "请先检查网络连接,再确认账号没有被锁定。"
DRAWING = (
    '<w:p><w:r><w:t>点</w:t></w:r><w:r><w:drawing><wp:inline xmlns:wp="http://schemas.openxmlformats.org/drawingml/'
    '2006/wordprocessingDrawing"><wp:docPr id="1" descr="齿轮"/><a:graphic xmlns:a="http://schemas.openxmlformats.org/'
    'drawingml/2006/main"><a:graphicData><pic:pic xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture">'
    f'<pic:blipFill><a:blip xmlns:r="{OFFICE}" r:link="r9"/></pic:blipFill></pic:pic></a:graphicData></a:graphic>'
    "</wp:inline></w:drawing></w:r></w:p>"
)


def _document(body: str) -> str:
    return f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'


def test_headings_make_sections() -> None:
    found = good("a.docx", docx((1, "手册"), (2, "登录"), (0, TEXT), (2, "导出"), (0, TEXT)))
    assert [entry.article.title for entry in found] == ["手册 / 登录", "手册 / 导出"]


def test_headings_that_name_a_field_fill_it() -> None:
    (entry,) = good("a.docx", docx((1, "登录"), (2, "现象"), (0, "提示超时"), (2, "解决办法"), (0, "改密码")))
    assert (entry.article.problem, entry.article.solution) == ("提示超时", "改密码")


@pytest.mark.parametrize(
    ("name", "title"), [("标题 1", "登录"), ("Title", "登录"), ("Heading 1", "登录"), ("Quote", "a")]
)
def test_a_heading_is_known_by_the_name_of_its_style(name: str, title: str) -> None:
    style = f'<w:style w:type="paragraph" w:styleId="1"><w:name w:val="{name}"/></w:style>'
    styles = f'<w:styles xmlns:w="{WORD}">{style}</w:styles>'
    (entry,) = good("a.docx", docx((1, "登录"), (0, TEXT), parts={"word/styles.xml": styles}))
    assert entry.article.title == title


def test_a_row_of_a_table_is_a_line() -> None:
    cell = "<w:tc><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:tc>"
    row = f"<w:tr>{cell.format('809')}{cell.format('连接超时请检查网络')}</w:tr>"
    (entry,) = good("a.docx", docx(parts={"word/document.xml": _document(f"<w:tbl>{row}</w:tbl>")}))
    assert entry.article.solution == "809 | 连接超时请检查网络"


def test_a_linked_picture_is_its_description_and_is_not_fetched() -> None:
    relations = (
        f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r9" Type="{OFFICE}/image" '
        'Target="file:///etc/hostname" TargetMode="External"/></Relationships>'
    )
    paragraph = f"<w:p><w:r><w:t>{TEXT}</w:t></w:r></w:p>"
    parts = {"word/document.xml": _document(paragraph + DRAWING), "word/_rels/document.xml.rels": relations}
    (entry,) = good("a.docx", docx(parts=parts))
    assert entry.article.solution == f"{TEXT}\n点[齿轮]"


def test_a_document_without_text_is_refused() -> None:
    with pytest.raises(InvalidRecord, match="no text"):
        entries("a.docx", docx((1, "只有标题")))


@pytest.mark.parametrize("document", ["<w:document>", "", "<a/>", _document("<w:tbl><w:tr>")])
def test_broken_xml_is_refused(document: str) -> None:
    with pytest.raises(InvalidRecord, match=r"damaged|no text"):
        entries("a.docx", docx(parts={"word/document.xml": document}))


def test_a_document_over_50_mb_is_refused() -> None:
    with pytest.raises(InvalidRecord, match="50 MB"):
        entries("a.docx", b"PK" + b"\0" * 50_000_000)
