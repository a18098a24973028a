"""What the drawing code asks of its page is written in one place, and every page has it."""

import re
from importlib.resources import files

import pytest

STATIC = files("seedmap.explorer.web") / "static"
DRAWING = ("painter.js", "slices.js")
APART = {"beside", "near", "regions"}  # only where two are shown, a mean is, or an atlas was given


def declared():
    """Return the names that `Page` declares."""
    text = (STATIC / "page.js").read_text(encoding="utf-8")
    return set(re.findall(r"^  (?:get )?(\w+)(?: =|\()", text, flags=re.MULTILINE))


def asked_in(text):
    """Return the names that code asks of its `app`."""
    names = set(re.findall(r"\bapp\??\.(\w+)", text))
    for inner in re.findall(r"\{([^{}]*)\} = (?:this\.)?app\b(?!\??\.)", text):
        names |= {name.partition(":")[0].strip() for name in inner.split(",")}
    return names


def test_names_are_found():
    text = "const { a, b: c } = this.app; app.d(); this.app.e?.f; const { g } = app.h; pane.app?.i"
    assert asked_in(text) == {"a", "b", "d", "e", "h", "i"}


@pytest.mark.parametrize("name", DRAWING)
def test_drawing_asks_for_nothing_else(name):
    asked = asked_in((STATIC / name).read_text(encoding="utf-8"))
    assert len(asked) > 5
    assert asked <= declared()


def missing(page):
    """Return what an open page lacks of what is declared."""
    return [
        name for name in declared() - APART if page.evaluate(f"(seedmap.{name} ?? null) === null")
    ]


def test_the_explorers_have_all_of_it(look, look_at_group):
    for window in (look(), look_at_group()):
        assert missing(window.page) == []


def test_the_viewer_of_a_report_has_all_of_it(chromium, report_of_maps):
    page, faults = chromium.new_page(), []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(report_of_maps.as_uri())
    page.locator("#value").filter(has_text="r =").wait_for()
    assert missing(page) == []
    assert faults == []
    page.close()
