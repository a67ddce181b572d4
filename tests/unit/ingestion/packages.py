"""Word and other packages, written part by part."""

import zipfile
from io import BytesIO

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
NAMES = (
    f'xmlns:w="{W}" xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    ' xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    ' xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
    ' xmlns:v="urn:schemas-microsoft-com:vml"'
)
STYLES = """
<w:style w:type="paragraph" w:default="1" w:styleId="a"><w:name w:val="Normal"/></w:style>
<w:style w:type="paragraph" w:styleId="T"><w:name w:val="Title"/></w:style>
<w:style w:type="paragraph" w:styleId="berschrift1"><w:name w:val="heading 1"/>
<w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="h2"><w:name w:val="heading 2"/></w:style>
<w:style w:type="paragraph" w:styleId="mine"><w:name w:val="Our section"/>
<w:basedOn w:val="h2"/></w:style>
<w:style w:type="paragraph" w:styleId="toc"><w:name w:val="toc 1"/></w:style>
<w:style w:type="paragraph" w:styleId="loop"><w:name w:val="Loop"/><w:basedOn w:val="loop"/></w:style>
<w:style w:type="paragraph" w:styleId="numbered"><w:name w:val="Numbered"/>
<w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="gone"><w:name w:val="Gone"/>
<w:rPr><w:vanish/></w:rPr></w:style>
<w:style w:type="character" w:styleId="secret"><w:name w:val="Secret"/>
<w:rPr><w:vanish/></w:rPr></w:style>
<w:style w:type="character" w:styleId="pale"><w:name w:val="Pale"/><w:basedOn w:val="paler"/></w:style>
<w:style w:type="character" w:styleId="paler"><w:name w:val="Paler"/>
<w:rPr><w:color w:val="FEFEFE"/></w:rPr></w:style>
<w:style w:type="table" w:styleId="dark"><w:name w:val="Dark"/><w:tblStylePr w:type="firstRow">
<w:tcPr><w:shd w:val="clear" w:fill="112233"/></w:tcPr></w:tblStylePr></w:style>
"""  # noqa: E501
NUMBERING = """
<w:abstractNum w:abstractNumId="7">
<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>
<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1.%2"/></w:lvl>
<w:lvl w:ilvl="2"><w:start w:val="3"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="(%3)"/></w:lvl>
<w:lvl w:ilvl="3"><w:numFmt w:val="upperRoman"/><w:lvlText w:val="%4)"/></w:lvl>
</w:abstractNum>
<w:abstractNum w:abstractNumId="8">
<w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/><w:lvlText w:val="\uf0b7"/></w:lvl></w:abstractNum>
<w:num w:numId="1"><w:abstractNumId w:val="7"/></w:num>
<w:num w:numId="2"><w:abstractNumId w:val="8"/></w:num>
<w:num w:numId="3"><w:abstractNumId w:val="7"/><w:lvlOverride w:ilvl="0">
<w:startOverride w:val="5"/></w:lvlOverride></w:num>
"""  # noqa: E501
_CORE = (
    '<c xmlns="http://schemas.openxmlformats.org/package/2006/metadata/core-properties"'
    ' xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{}</dc:title>'
    "<dc:creator>Ann Private</dc:creator></c>"
)


def package(parts: dict[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a ZIP file of `parts`."""
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return stream.getvalue()


def docx(body: str, title: str = "", *, parts: dict[str, str | bytes] | None = None) -> bytes:
    """Return a Word document with `body` (XML in the prefix w), our styles and lists."""
    return package(
        {
            "[Content_Types].xml": "<Types/>",
            "word/document.xml": f"<w:document {NAMES}><w:body>{body}</w:body></w:document>",
            "word/styles.xml": f"<w:styles {NAMES}>{STYLES}</w:styles>",
            "word/numbering.xml": f"<w:numbering {NAMES}>{NUMBERING}</w:numbering>",
            "docProps/core.xml": _CORE.format(title),
            **(parts or {}),
        }
    )


def p(content: str, style: str = "", properties: str = "") -> str:
    """Return a paragraph; `content` without markup is a run of text."""
    if "<" not in content:
        content = r(content)
    named = f'<w:pStyle w:val="{style}"/>' if style else ""
    return f"<w:p><w:pPr>{named}{properties}</w:pPr>{content}</w:p>"


def r(text: str, properties: str = "") -> str:
    """Return a run of text."""
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def item(text: str, number: int, depth: int = 0) -> str:
    """Return an item of a list."""
    own = f'<w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="{number}"/></w:numPr>'
    return p(text, properties=own)


def table(*rows: list[str], properties: str = "") -> str:
    """Return a table of cells with a paragraph each; cells with markup are taken as they are."""
    written = [
        "".join(f"<w:tc>{cell if '<' in cell else p(cell)}</w:tc>" for cell in row) for row in rows
    ]
    lines = "".join(f"<w:tr>{row}</w:tr>" for row in written)
    return f"<w:tbl><w:tblPr>{properties}</w:tblPr>{lines}</w:tbl>"
