"""`wakala explain`, and that each word in a condition is explained: the pages and the code know the same words."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.run import COLOUR, ROOT, on_a_terminal, one_sentence, wakala
from wakala_api.conditions import ORDER
from wakala_cli.pages import pages

OPERATOR = ROOT / "operator" / "wakala_operator"
PAGES = pages()
WORDS = {
    (word, name)
    for name, text in PAGES.items()
    for word in re.findall(r"^- \*\*(\w+)\*\*", text, re.MULTILINE)
}
REASON_AT = {"Stalled": 0, "Refused": 0, "Wait": 1, "Rollout": 1, "_both": 1, "Finding": 2}
"""What puts a word into a condition, and where in its arguments the word stands."""


def plain(text: str) -> str:
    """The words of a page, without the signs of Markdown."""
    return " ".join(
        re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text).replace("*", "").replace("`", "").split()
    )


def shown(text: str) -> str:
    """The words on a screen, without what it draws around them."""
    return plain(re.sub(r"[•━┃┏┓┗┛]", " ", re.sub(r"\x1b\[[\d;]*m", "", text)))


def missing(condition: str, text: str) -> list[str]:
    """The lines of a condition's page that are not in a text."""
    lines = re.split(r"\n+(?=- |#)|\n\n", PAGES[condition])
    return [line for line in lines if plain(line.lstrip("#- ")) not in shown(text)]


@pytest.mark.parametrize("condition", ORDER)
def test_a_condition_is_explained_with_every_word_of_its_page(condition: str) -> None:
    ran = wakala("explain", condition)
    assert (ran.code, ran.err) == (0, "")
    assert missing(condition, ran.out) == []


def test_nothing_of_a_page_is_cut_on_a_terminal() -> None:
    seen = on_a_terminal("explain", "Stalled", COLUMNS="60")
    assert COLOUR.search(seen) or "\x1b[1m" in seen
    assert missing("Stalled", seen) == []
    assert max(map(len, re.sub(r"\x1b\[[\d;]*m", "", seen).splitlines())) <= 60


def test_each_condition_has_one_page_and_each_page_a_condition() -> None:
    assert set(PAGES) == set(ORDER)
    files = {path.stem for path in (ROOT / "docs" / "conditions").glob("*.md")}
    assert files == {re.sub(r"(?<=\w)([A-Z])", r"-\1", name).lower() for name in ORDER}


@pytest.mark.parametrize("reason", sorted({word for word, _ in WORDS}))
def test_a_reason_leads_to_a_page_that_has_it(reason: str) -> None:
    """However it is spelt."""
    ran = wakala("explain", "-o", "json", reason.lower())
    found = json.loads(ran.out)
    assert (ran.code, ran.err) == (0, "")
    assert (reason, found["condition"]) in WORDS
    assert f"- **{reason}**" in found["page"]
    assert found["now"] == {}


def test_json_holds_the_page_as_it_is_written() -> None:
    found = json.loads(wakala("explain", "-o", "json", "Stalled").out)
    assert found["page"] == (ROOT / "docs" / "conditions" / "stalled.md").read_text()


@pytest.mark.parametrize(
    ("word", "near"), [("Stalld", "Stalled"), ("redy", "Ready"), ("NodeTuned", "NodesTuned")]
)
def test_an_unknown_word_is_met_with_a_known_one(word: str, near: str) -> None:
    assert f"did you mean {near}?" in one_sentence(wakala("explain", word))


def test_a_misspelt_reason_is_met_with_that_reason() -> None:
    assert "did you mean NameTaken?" in one_sentence(wakala("explain", "NameTakn"))


def test_a_word_like_no_other_is_just_unknown() -> None:
    assert one_sentence(wakala("explain", "xyzzy")) == "xyzzy is no condition or reason"


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def _reasons(file: Path) -> Iterator[tuple[str, str]]:
    """Who is given a reason in this file, and which; a reason that is passed on is somebody else's."""
    tree = ast.parse(file.read_text())
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or _called(node) not in REASON_AT:
            continue
        names = {keyword.arg: keyword.value for keyword in node.keywords}
        position = REASON_AT[_called(node)]
        given = names.get("reason") or (node.args[position] if len(node.args) > position else None)
        if isinstance(given, ast.Name) and given.id in constants:
            yield _called(node), str(constants[given.id])
        elif isinstance(given, ast.Constant):
            yield _called(node), str(given.value)
        else:
            passed_on = isinstance(given, ast.Attribute) and given.attr == "reason"
            assert passed_on or _is_own_parameter(tree, node, given), (file, node.lineno)


def _is_own_parameter(tree: ast.Module, call: ast.Call, given: ast.expr | None) -> bool:
    """Whether the reason is a parameter of the function around the call, whose callers are looked at."""
    return any(
        isinstance(function, ast.FunctionDef)
        and function.name in REASON_AT
        and any(inner is call for inner in ast.walk(function))
        and isinstance(given, ast.Name)
        and given.id in {argument.arg for argument in function.args.args}
        for function in ast.walk(tree)
    )


def in_code() -> set[tuple[str, str]]:
    return {found for file in OPERATOR.rglob("*.py") for found in _reasons(file)}


def test_each_reason_in_the_code_is_explained_and_each_explained_one_is_in_the_code() -> None:
    reasons = {reason for _, reason in in_code()}
    assert reasons == {word for word, _ in WORDS}
    assert len(reasons) >= 20


def test_what_stops_a_service_is_on_the_page_of_stalled() -> None:
    stopping = {reason for who, reason in in_code() if who in {"Stalled", "Refused"}}
    assert stopping <= {word for word, name in WORDS if name == "Stalled"}


def test_what_a_service_waits_for_is_on_the_page_of_ready() -> None:
    waiting = {reason for who, reason in in_code() if who == "Wait"}
    assert waiting <= {word for word, name in WORDS if name == "Ready"}


def test_a_reason_is_one_word_that_the_crd_takes() -> None:
    assert all(re.fullmatch(r"[A-Z][A-Za-z0-9]*", reason) for _, reason in in_code())
