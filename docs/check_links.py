"""Check the built site without a network: every internal link and picture must be there.

Usage: ``python docs/check_links.py [docs/_build/html]``. Ends with exit code 1 if one is missing.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

OUTSIDE = ("http", "https", "mailto", "data", "javascript")


class Page(HTMLParser):
    """What a page links to, and what can be linked to in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, _: str, attrs: list[tuple[str, str | None]]) -> None:
        """Gather links and anchors."""
        given = {name: value for name, value in attrs if value}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if "href" in given or "src" in given:
            self.links.append(given.get("href") or given["src"])
        for part in given.get("srcset", "").split(","):
            if part.strip():
                self.links.append(part.split()[0])


def broken(root: Path) -> list[str]:
    """Return one line for each link that leads nowhere."""
    found = (path for path in root.rglob("*.html") if "_static" not in path.parts)
    pages = {path.resolve(): Page(path) for path in found}
    return [
        f"{path.relative_to(root.resolve())}: {link}"
        for path, page in pages.items()
        for link in sorted(set(page.links))
        if not _leads_somewhere(link, path, pages)
    ]


def _leads_somewhere(link: str, path: Path, pages: dict[Path, Page]) -> bool:
    url = urlsplit(link)
    if url.scheme in OUTSIDE or url.netloc:
        return True
    target = (path.parent / unquote(url.path)).resolve() if url.path else path
    if not target.exists():
        return False
    page = pages.get(target)
    return page is None or not url.fragment or unquote(url.fragment) in page.anchors


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/_build/html")
    missing = broken(place)
    print(*missing, f"{len(missing)} broken links", sep="\n")
    sys.exit(bool(missing))
