"""The site in a real browser: by mouse, by keyboard, on a phone, in the dark, on paper, without scripts.

Needs Chromium, its driver and selenium. Where they are missing the tests are skipped with the reason,
unless OPCONFORM_REQUIRE_CHROMIUM is set, as CI does: then their absence is a failure.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from opconform.reports import html
from opconform.reports.log import parse

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PAGES = ("index.html", "op/CONV_2D.html", "op/STRIDED_SLICE.html", "deviations.html", "models.html", "costs.html")

#: WCAG 2.2 contrast of each visible text against the nearest opaque background; returns what is below 4.5
CONTRAST = """
const rgb = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
const light = (c) => c.slice(0, 3).map((v) => v / 255)
  .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const paint = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
const flat = (color) => { paint.fillStyle = color; paint.fillRect(0, 0, 1, 1); return [...paint.getImageData(0, 0, 1, 1).data]; };
const clear = (color) => color === "transparent" || (rgb(color).length === 4 && rgb(color)[3] === 0);
const back = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (!clear(c)) return flat(c); } return [255, 255, 255]; };
const shown = (e) => e.getClientRects().length && !e.closest(".sr, .skip, script, style, svg");
return [...document.querySelectorAll("body *")]
  .filter((e) => shown(e) && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
  .map((e) => { const [a, b] = [light(flat(getComputedStyle(e).color)), light(back(e))].sort((x, y) => y - x);
                return [(a + 0.05) / (b + 0.05), e.tagName + "." + e.className + ": " + e.textContent.trim().slice(0, 30)]; })
  .filter(([ratio]) => ratio < 4.5).map(([ratio, name]) => ratio.toFixed(2) + " " + name);
"""  # noqa: E501


def missing() -> str:
    """Return what a browser test lacks on this machine, or ""."""
    programs = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    packages = [] if importlib.util.find_spec("selenium") else ["the Python package selenium (extra: test)"]
    found = [*programs, *packages]
    return f"no {', no '.join(found)}: apt-get install chromium chromium-driver" if found else ""


@pytest.fixture(scope="module")
def site(make: SimpleNamespace, lines: list[Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    html.write(html.site(parse(make.encode([*lines[:-1], *make.models(), lines[-1]]), "run.jsonl")), folder)
    return folder


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    lacking = missing()
    if lacking and os.environ.get("OPCONFORM_REQUIRE_CHROMIUM"):
        pytest.fail(lacking)
    if lacking:
        pytest.skip(lacking)
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium: Any) -> Any:
    """A window of a desktop in daylight; what a test emulates does not outlive it."""
    emulate(chromium, 1280, 900)
    return chromium


def emulate(driver: Any, width: int, height: int, scheme: str = "light", media: str = "") -> None:
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})


def find(driver: Any, selector: str) -> Any:
    return driver.find_element("css selector", selector)


def press(driver: Any, *keys: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    for key in keys:
        ActionChains(driver).send_keys(key).perform()


TAB, ENTER = "\ue004", "\ue007"


def test_a_reader_clicks_from_the_matrix_to_the_counterexample_and_its_model(browser: Any, site: Path) -> None:
    browser.get(f"{site.as_uri()}/index.html")
    row = find(browser, "#rows-CONV_2D")
    assert not row.is_displayed()
    find(browser, "[aria-controls='rows-CONV_2D']").click()
    assert row.is_displayed()
    find(browser, "#rows-CONV_2D td.fail a").click()
    assert browser.current_url.endswith("op/CONV_2D.html#int8-micro-cortex-m4-wrong-value-7f3k2q")
    article = find(browser, "article:target")
    assert "y[0,1,0,1] = 37, want 35" in article.text
    assert "opconform replay CONV_2D/int8/7f3k2q --runtime micro@cortex-m4" in article.text
    link = article.find_element("css selector", "a.download").get_attribute("href")
    assert Path(link.removeprefix("file://")).read_bytes()[4:8] == b"TFL3"


def test_the_copy_button_copies_the_replay_command(browser: Any, site: Path) -> None:
    browser.get(f"{site.as_uri()}/op/STRIDED_SLICE.html")
    find(browser, "button.copy").click()
    command = "opconform replay STRIDED_SLICE/bool/2m8 --runtime micro@cortex-m0"
    assert browser.execute_script("return getSelection().toString()") == command
    from selenium.webdriver.support.wait import WebDriverWait

    WebDriverWait(browser, 5).until(lambda driver: find(driver, "button.copy").text == "Copied")


def test_the_first_tab_shows_a_link_that_skips_to_the_content(browser: Any, site: Path) -> None:
    browser.get(f"{site.as_uri()}/index.html")
    press(browser, TAB)
    skip = browser.switch_to.active_element
    assert skip.text == "Skip to the content"
    assert skip.rect["y"] >= 0
    press(browser, ENTER)
    assert browser.switch_to.active_element.get_attribute("id") == "main"


def test_every_stop_of_the_tab_key_is_seen_and_has_a_name(browser: Any, site: Path) -> None:
    browser.get(f"{site.as_uri()}/op/CONV_2D.html")
    for _ in range(40):
        press(browser, TAB)
        width, style, inside = browser.execute_script(
            "const e = document.activeElement, s = getComputedStyle(e);"
            "return [parseFloat(s.outlineWidth), s.outlineStyle, e !== document.body]"
        )
        if inside:
            assert style != "none"
            assert width >= 2
            assert browser.switch_to.active_element.accessible_name


def test_rows_unfold_by_keyboard_and_say_so(browser: Any, site: Path) -> None:
    browser.get(f"{site.as_uri()}/index.html")
    button = find(browser, "[aria-controls='rows-SOFTMAX']")
    browser.execute_script("arguments[0].focus()", button)
    press(browser, ENTER)
    assert button.get_attribute("aria-expanded") == "true"
    assert find(browser, "#rows-SOFTMAX").is_displayed()
    press(browser, ENTER)
    assert not find(browser, "#rows-SOFTMAX").is_displayed()


def test_the_filter_finds_ops_by_name_row_and_verdict_and_tells_how_many(browser: Any, site: Path) -> None:
    browser.get(f"{site.as_uri()}/index.html")

    def left() -> list[str]:
        return [one.text for one in browser.find_elements("css selector", "tbody.op th a") if one.is_displayed()]

    find(browser, "#find").send_keys("conv")
    assert left() == ["CONV_2D"]
    assert find(browser, "#found").text == "1 operator"
    find(browser, "#find").clear()
    find(browser, "#find").send_keys("int16x8")
    assert left() == ["CONV_2D"]
    find(browser, "#find").clear()
    press(browser, "x", "\ue003")
    find(browser, "#show option[value='unsupported']").click()
    assert left() == ["WHERE"]
    find(browser, "#unfold").click()
    assert [
        one.get_attribute("id") for one in browser.find_elements("css selector", ".rows") if one.is_displayed()
    ] == ["rows-WHERE"]


@pytest.mark.parametrize("width", [320, 390])
@pytest.mark.parametrize("page", PAGES)
def test_on_a_phone_pages_never_scroll_sideways_but_wide_tables_do(
    browser: Any, site: Path, page: str, width: int
) -> None:
    emulate(browser, width, 800)
    browser.get(f"{site.as_uri()}/{page}")
    assert browser.execute_script("return [innerWidth, document.documentElement.scrollWidth]") == [width, width]
    if page == "index.html":
        inside, whole = browser.execute_script(
            "const e = document.querySelector('.matrix').parentElement; return [e.clientWidth, e.scrollWidth]"
        )
        assert whole > inside


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_all_text_has_the_contrast_that_wcag_asks_for(browser: Any, site: Path, page: str, scheme: str) -> None:
    emulate(browser, 1280, 900, scheme)
    browser.get(f"{site.as_uri()}/{page}")
    browser.execute_script("document.querySelectorAll('.fold').forEach((e) => e.click())")
    assert browser.execute_script(CONTRAST) == []


def test_in_the_dark_the_page_is_dark(browser: Any, site: Path) -> None:
    emulate(browser, 1280, 900, "dark")
    browser.get(f"{site.as_uri()}/index.html")
    color = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert color == "rgb(20, 23, 27)"


def test_on_paper_the_page_is_white_without_controls_even_in_the_dark(browser: Any, site: Path) -> None:
    emulate(browser, 1280, 900, "dark", "print")
    browser.get(f"{site.as_uri()}/index.html")
    assert browser.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not find(browser, ".filter").is_displayed()
    assert browser.execute_script(CONTRAST) == []


def test_without_scripts_all_rows_are_shown_and_no_dead_control(browser: Any, site: Path) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(f"{site.as_uri()}/index.html")
        assert find(browser, "#rows-CONV_2D").is_displayed()
        assert not find(browser, "#unfold").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@pytest.mark.parametrize("page", PAGES)
def test_pages_load_nothing_and_complain_of_nothing(browser: Any, site: Path, page: str) -> None:
    browser.get_log("browser")
    browser.get(f"{site.as_uri()}/{page}")
    assert browser.execute_script("return performance.getEntriesByType('resource').map((e) => e.name)") in (
        [],
        ["data:,"],
    )
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("page", PAGES)
def test_every_control_and_picture_has_a_name_for_a_screen_reader(browser: Any, site: Path, page: str) -> None:
    browser.get(f"{site.as_uri()}/{page}")
    nodes = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    named = {"link", "button", "searchbox", "combobox", "image", "region", "navigation"}
    roles = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]]
    assert [role for role, name in roles if role in named and not name] == []
    assert ("main", "") in roles


def test_a_click_on_a_board_sorts_the_operators_by_its_figures(browser: Any, site: Path) -> None:
    browser.get(f"{site.as_uri()}/costs.html")
    table = find(browser, "table.costs")
    rows = "return [...arguments[0].tBodies[0].rows].map((row) => Number(row.children[2].dataset.value))"
    figures = browser.execute_script(rows, table)
    assert sorted(figures) != figures != sorted(figures, reverse=True)
    button = table.find_elements("css selector", "thead button")[2]
    for up in (False, True):
        button.click()
        assert browser.execute_script(rows, table) == sorted(figures, reverse=not up)
    assert [cell.get_attribute("aria-sort") for cell in table.find_elements("css selector", "th[aria-sort]")] == [
        "ascending"
    ]
    table.find_elements("css selector", "thead button")[0].click()
    assert browser.execute_script(rows, table) == figures
