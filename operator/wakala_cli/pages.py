"""The pages on conditions, which are also the runbooks: one text for the repository, the wheel and `wakala explain`."""

import difflib
import re
from importlib import resources
from pathlib import Path

__all__ = ["page_of", "pages"]

_REPOSITORY = Path(__file__).resolve().parents[2] / "docs" / "conditions"


def pages() -> dict[str, str]:
    """Every page by its condition's name, as its first heading has it."""
    packaged = resources.files("wakala_cli").joinpath("conditions")
    folder = packaged if packaged.is_dir() else _REPOSITORY
    texts = [entry.read_text() for entry in folder.iterdir() if entry.name.endswith(".md")]
    found = {}
    for text in sorted(texts):
        heading = re.match(r"# (\w+)\n", text)
        if heading:
            found[heading.group(1)] = text
    return found


def page_of(word: str) -> tuple[str, str] | str:
    """The condition and its page for a condition's or a reason's name; else the nearest known word."""
    known = pages()
    words = {name.lower(): (name, name) for name in known}
    for name, text in known.items():
        for reason in re.findall(r"^- \*\*(\w+)\*\*", text, flags=re.MULTILINE):
            words.setdefault(reason.lower(), (reason, name))
    if word.lower() in words:
        _, name = words[word.lower()]
        return name, known[name]
    near = difflib.get_close_matches(word.lower(), list(words), n=1)
    return words[near[0]][0] if near else ""
