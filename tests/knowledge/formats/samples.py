"""Small real files of the office formats, made for each test."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from openpyxl import Workbook

from nlp_service.knowledge.formats.registry import read
from nlp_service.knowledge.formats.source import Source
from nlp_service.knowledge.records import Bad, Entry, Good

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
CONTENT_TYPES = (
    f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>'
)
RELATIONS = (
    f'<Relationships xmlns="{PACKAGE}/relationships">'
    f'<Relationship Id="r1" Type="{OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>'
)
STYLE = '<w:style w:type="paragraph" w:styleId="{0}"><w:name w:val="heading {0}"/></w:style>'
STYLES = "".join(map(STYLE.format, range(1, 4)))


def entries(name: str, content: str | bytes) -> list[Entry]:
    """Everything that is read of a file."""
    data = content.encode() if isinstance(content, str) else content
    return list(read(Source(name, io.BytesIO(data))))


def good(name: str, content: str | bytes) -> list[Good]:
    """The records of a file that has no bad ones."""
    found = entries(name, content)
    assert [entry for entry in found if isinstance(entry, Bad)] == []
    return [entry for entry in found if isinstance(entry, Good)]


def bad(name: str, content: str | bytes) -> list[Bad]:
    """The bad records of a file."""
    return [entry for entry in entries(name, content) if isinstance(entry, Bad)]


def docx(*paragraphs: tuple[int, str], parts: Mapping[str, str] | None = None) -> bytes:
    """A DOCX of (level, text): level 0 is plain text. `parts` replace or add files of the archive."""
    body = "".join(_word_paragraph(level, text) for level, text in paragraphs)
    files = {
        "[Content_Types].xml": CONTENT_TYPES,
        "_rels/.rels": RELATIONS,
        "word/document.xml": f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>',
        "word/styles.xml": f'<w:styles xmlns:w="{WORD}">{STYLES}</w:styles>',
    }
    return archive(files | dict(parts or {}))


def archive(files: Mapping[str, str | bytes]) -> bytes:
    """A ZIP archive of the files, compressed."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return stream.getvalue()


def xlsx(*rows: Sequence[object], **sheets: Sequence[Sequence[object]]) -> bytes:
    """A workbook with a sheet `Sheet` of the rows, and further ones. Formulas have no stored value."""
    book = Workbook(write_only=True)
    for title, content in {"Sheet": rows, **sheets}.items():
        sheet = book.create_sheet(title)
        for row in content:
            sheet.append(list(row))
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def pdf(*pages: Sequence[tuple[int, str]], bookmarks: Sequence[tuple[str, int]] = ()) -> bytes:
    """A PDF whose pages are lines of (font size, text); `bookmarks` are (title, page from 0)."""
    kids = [f"{5 + 2 * number} 0 R" for number in range(len(pages))]
    first = 5 + 2 * len(pages)
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R{f' /Outlines {first} 0 R' if bookmarks else ''} >>",
        f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(pages)} >>",
        _FONT,
        _stream(_to_unicode("".join(text for lines in pages for _, text in lines))),
    ]
    for number, lines in enumerate(pages):
        shown = "".join(
            f"BT /F1 {size} Tf 1 0 0 1 50 {800 - 30 * row} Tm <{text.encode('utf-16-be').hex()}> Tj ET\n"
            for row, (size, text) in enumerate(lines)
        )
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> "
            f"/Contents {6 + 2 * number} 0 R >>"
        )
        objects.append(_stream(shown))
    objects.extend(_outline(bookmarks, kids, first) if bookmarks else ())
    return _pdf_file(objects)


_FONT = (
    "<< /Type /Font /Subtype /Type0 /BaseFont /Any /Encoding /Identity-H /ToUnicode 4 0 R /DescendantFonts "
    "[<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Any /CIDSystemInfo << /Registry (Adobe) /Ordering "
    "(Identity) /Supplement 0 >> /DW 1000 >>] >>"
)


def _to_unicode(text: str) -> str:
    """The map from codes to characters, which here are the same."""
    codes = sorted({character.encode("utf-16-be").hex() for character in text})
    pairs = "\n".join(f"<{code}> <{code}>" for code in codes)
    space = "begincmap 1 begincodespacerange <0000> <FFFF> endcodespacerange"
    return f"{space} {len(codes)} beginbfchar\n{pairs}\nendbfchar endcmap"


def _word_paragraph(level: int, text: str) -> str:
    style = f'<w:pPr><w:pStyle w:val="{level}"/></w:pPr>' if level else ""
    return f"<w:p>{style}<w:r><w:t>{escape(text)}</w:t></w:r></w:p>"


def _stream(content: str) -> str:
    return f"<< /Length {len(content)} >>\nstream\n{content}\nendstream"


def _outline(bookmarks: Sequence[tuple[str, int]], kids: Sequence[str], first: int) -> list[str]:
    last = first + len(bookmarks)
    items = [f"<< /Type /Outlines /First {first + 1} 0 R /Last {last} 0 R /Count {len(bookmarks)} >>"]
    for number, (title, page) in enumerate(bookmarks, start=first + 1):
        following = f" /Next {number + 1} 0 R" if number < last else ""
        encoded = ("\ufeff" + title).encode("utf-16-be").hex()
        items.append(f"<< /Title <{encoded}> /Parent {first} 0 R /Dest [{kids[page]} /Fit]{following} >>")
    return items


def _pdf_file(objects: Sequence[str]) -> bytes:
    content = b"%PDF-1.7\n"
    offsets = []
    for number, text in enumerate(objects, start=1):
        offsets.append(len(content))
        content += f"{number} 0 obj\n{text}\nendobj\n".encode("ascii")
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    head = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    trailer = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(content)}\n%%EOF\n"
    return content + (head + trailer).encode("ascii")
