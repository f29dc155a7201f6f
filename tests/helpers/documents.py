"""Code blocks of the documentation, so that tests can run what it says."""

import re
from pathlib import Path

from helpers.runs import ROOT

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(document: str, language: str) -> list[str]:
    """Return the code blocks of a language in a document of the repository, in order."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return [code for kind, code in BLOCK.findall(text) if kind == language]


def write_files(document: str, folder: Path) -> list[str]:
    """Write every block that begins with the name of its file, `# path/name.py`, into a folder; return the names."""
    names = []
    for language in ("python", "yaml"):
        for code in blocks(document, language):
            if name := re.match(r"# (\S+\.(?:py|yaml))\n", code):
                path = folder / name[1]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(code.removeprefix(name[0]), encoding="utf-8")
                names.append(name[1])
    return names
