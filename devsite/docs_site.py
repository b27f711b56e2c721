"""mkdocs.yml's hooks: what the documentation's site has beyond the files of docs/, and that it asks no other site.

The pages are written for a code host, too, so what differs is done here and not in their text.
"""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
# Pages that lie elsewhere in the repository, where their readers look for them.
ELSEWHERE = {
    "changelog.md": "CHANGELOG.md",
    "sdk/python.md": "sdk/python/README.md",
    "sdk/javascript.md": "sdk/javascript/README.md",
}
FENCES = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
MENTION = re.compile(r"(?<![\w/.`\[(-])(?<!\]\()docs/([\w-]+\.(?:md|yaml))")
# A page that is served (`make docs`) names its own address and its neighbours: browsers do not fetch these.
REQUEST = re.compile(
    r"""<(?:script|link(?![^>]*\brel=["']?(?:canonical|next|prev)\b)|img|iframe|source)\b"""
    r"""[^>]*\b(?:src|href|srcset)=["']?(?:https?:)?//[^>]*>"""
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for page, path in ELSEWHERE.items():
        files.append(File.generated(config, page, content=(ROOT / path).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links to pages from elsewhere, and a link for each page of docs/ that the prose names."""
    up = "../" * page.file.src_uri.count("/")
    for own, path in ELSEWHERE.items():
        markdown = markdown.replace(f"](../{path}", f"]({up}{own}")
    parts = FENCES.split(markdown)
    parts[::2] = [MENTION.sub(rf"[docs/\1]({up}\1)", part) for part in parts[::2]]
    return "".join(parts)


def on_post_build(config: MkDocsConfig) -> None:
    for page in Path(config.site_dir).rglob("*.html"):
        if found := REQUEST.search(page.read_text(encoding="utf-8")):
            raise PluginError(f"{page.name} asks another site for something: {found[0]}")
