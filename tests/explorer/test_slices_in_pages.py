"""The slices of a report, in a browser: drawn, moved, and without a network."""

import pytest


@pytest.mark.full
def test_slices_are_drawn_and_move(chromium, report_of_maps):
    window = chromium.new_page(viewport={"width": 390, "height": 800})
    asked, faults = [], []
    window.on("request", lambda request: asked.append(request.url))
    window.on("pageerror", lambda error: faults.append(str(error)))
    window.goto(report_of_maps.as_uri())
    value = window.locator("#value")
    value.filter(has_text="r =").wait_for()
    assert "0, \N{MINUS SIGN}52, 18 mm" in value.text_content()
    canvas = window.locator("#viewer canvas").first
    drawn = "c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size"
    assert canvas.evaluate(drawn) > 50
    window.locator("#which").select_option("LM")
    value.filter(has_text="\N{MINUS SIGN}36, \N{MINUS SIGN}25, 57 mm").wait_for()
    canvas.press("ArrowUp")
    value.filter(has_text="\N{MINUS SIGN}36, \N{MINUS SIGN}25, 65 mm").wait_for()
    canvas.press("+")
    window.locator("#limit").filter(has_text="0.35").wait_for()
    canvas.press("Home")
    value.filter(has_text="25, 57 mm").wait_for()
    assert window.evaluate("document.documentElement.scrollWidth") == 390
    assert faults == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    window.close()
