"""The static site: every link leads somewhere, nothing comes from the network, no log can inject markup."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urldefrag, urljoin

import pytest

from opconform.reports import html, summary
from opconform.reports.log import Log

VOID = {"meta", "link", "br", "wbr", "input", "hr", "img"}


class Page(HTMLParser):
    """Ids, links, text and unbalanced tags of a page."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.labels: list[str] = []
        self.loads: list[str] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.tags: Counter[str] = Counter()
        self.words = ""
        self.feed(data.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {key: value or "" for key, value in attrs}
        self.tags[tag] += 1
        self.ids += [told["id"]] if "id" in told else []
        self.links += [told["href"]] if tag == "a" else []
        self.loads += [told["src"]] if "src" in told else [told["href"]] if tag == "link" else []
        for key in ("for", "aria-labelledby", "aria-controls", "aria-describedby", "data-copy"):
            self.labels += told.get(key, "").split()
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.words += data


def spaced(part: str) -> str:
    """Return the words of a part of a page, those of two elements apart."""
    return " ".join(re.sub(r"<[^>]+>", " ", part).split())


@pytest.fixture(scope="module")
def site(log: Log) -> Mapping[str, bytes]:
    return html.site(log)


@pytest.fixture(scope="module")
def pages(site: Mapping[str, bytes]) -> Mapping[str, Page]:
    return {name: Page(data) for name, data in site.items() if name.endswith(".html")}


def test_the_site_has_a_page_for_every_op_and_the_four_pages_about_all(pages: Mapping[str, Page]) -> None:
    ops = {f"op/{op}.html" for op in ("ADD", "CONV_2D", "RELU_0_TO_1", "SOFTMAX", "STRIDED_SLICE", "WHERE")}
    assert set(pages) == {"index.html", "deviations.html", "costs.html", "models.html", *ops}


def test_every_tag_is_closed_where_it_was_opened(pages: Mapping[str, Page]) -> None:
    assert {name: (page.wrong, page.open) for name, page in pages.items() if page.wrong or page.open} == {}


def test_ids_are_unique_and_labels_name_existing_ids(pages: Mapping[str, Page]) -> None:
    for name, page in pages.items():
        assert [one for one, times in Counter(page.ids).items() if times > 1] == [], name
        assert set(page.labels) <= set(page.ids), name


def test_every_link_leads_to_a_file_and_a_place_of_the_site(
    site: Mapping[str, bytes], pages: Mapping[str, Page]
) -> None:
    for name, page in pages.items():
        for link in page.links:
            if link.startswith("http"):
                continue
            path, fragment = urldefrag(urljoin(f"/{name}", link))
            assert path.lstrip("/") in site, (name, link)
            assert not fragment or fragment in pages[path.lstrip("/")].ids, (name, link)


def test_nothing_is_loaded_from_anywhere(site: Mapping[str, bytes], pages: Mapping[str, Page]) -> None:
    for name, page in pages.items():
        assert page.loads == ["data:,"], name
        assert not re.search(rb"@import|url\(|fetch\(|XMLHttpRequest|//cdn", site[name]), name


def test_the_models_of_counterexamples_are_files_of_the_site(site: Mapping[str, bytes], log: Log) -> None:
    models = [data for name, data in site.items() if name.startswith("models/")]
    assert models == [base64.b64decode(line.model) for line in log.failures]


def test_the_matrix_says_in_words_what_each_cell_is(pages: Mapping[str, Page]) -> None:
    words = " ".join(pages["index.html"].words.split())
    for expected in (
        "✗ wrong-value, unexpected",
        "◐ wrong-value, a known deviation",
        "– not supported",
        "2 unexpected deviations",
        "tflite-micro is not installed",
        "ABS/int8 litert@*",
        "3 min 12 s",
        "22 November 2026, 10:02 UTC",
    ):
        assert expected in words


def test_an_op_page_holds_the_whole_counterexample(pages: Mapping[str, Page]) -> None:
    words = " ".join(pages["op/CONV_2D.html"].words.split())
    for expected in (
        "y[0,1,0,1] = 37, want 35 (2 lsb, 1 allowed by specs/ops/conv_2d.yaml:55 T2)",
        "shrunk from CONV_2D/int8/x9k2d1",
        "scale [0.011, 0.02], zero point [0, 0]",
        "Every element is what float half even gives.",
        "The outlier is micro@cortex-m4.",
        "opconform replay CONV_2D/int8/7f3k2q --runtime micro@cortex-m4",
        "activation RELU6",
        "specs/ops/conv_2d.yaml:55",
        "3537+2worst",
        "+24 (+0.7 %)",
        "over budget",
        "batch independent",
    ):
        assert expected in words or expected in words.replace("37+2worst", "37 +2 worst").replace("3537", "35 37"), (
            expected
        )


def test_an_op_page_says_first_what_is_wrong_then_what_each_runtime_takes_and_costs(site: Mapping[str, bytes]) -> None:
    page = site["op/CONV_2D.html"].decode()
    titles = ["Counterexamples", "At a glance", "Costs", "Rows", "Known deviations", "Errors in quanta", "Clauses"]
    assert re.findall(r"<h2[^>]*>([^<]+)", page)[: len(titles)] == titles
    section = page[page.index('id="glance"') : page.index('id="costs"')]
    told = next(row for row in section.split("</tr>") if "cortex-m4" in row)
    assert spaced(told) == "micro @cortex-m4 ✗ wrong-value , unexpected 3 of 3 176 200 % pass 21, wrong-value 1"


def test_a_known_deviation_is_folded_below_its_reason(site: Mapping[str, bytes]) -> None:
    page = site["op/CONV_2D.html"].decode()
    known = page[page.index('id="known"') : page.index('id="errors"')]
    assert known.count("<article") == 1
    assert len(re.findall(r"<article[^>]*>\s*<details><summary>", known)) == 1
    assert "XNNPACK rescales in float" in known[: known.index("</summary>")]
    assert "<details" not in page[page.index('id="counterexamples"') : page.index("What the spec says")]


def test_meters_of_cases_are_a_table_with_units(make: SimpleNamespace) -> None:
    found = {"stack": 96, "model-loads": 7, "own-meter": 5}
    line = make.case("ADD", "int8", "micro", "cortex-m4", meters=found)
    page = html.site(make.log(make.header(), line, make.footer()))["op/ADD.html"].decode()
    table = page[page.index("any case showed.") : page.index('id="rows"')]
    assert "Runtime Stack bytes Loads of the model own-meter micro @cortex-m4 96 7 5" in spaced(table)


def test_a_clause_that_no_case_exercised_says_so(pages: Mapping[str, Page]) -> None:
    assert "never exercised" in pages["op/ADD.html"].words


def test_the_deviations_page_groups_reasons_by_runtime_and_links_the_counterexample(pages: Mapping[str, Page]) -> None:
    page = pages["deviations.html"]
    assert "XNNPACK rescales in float" in page.words
    assert "https://example.org/issues/4711" in page.links
    assert "op/CONV_2D.html#int8-litert-xnnpack-wrong-value-7f3k2q" in page.links
    assert "HardFault" not in page.words


def test_an_incomplete_log_is_said_on_every_page(make: SimpleNamespace, lines: list[dict[str, object]]) -> None:
    site = html.site(make.log(*lines[:-1]))
    for name, data in site.items():
        if name.endswith(".html"):
            assert b"This log is incomplete" in data, name


def test_a_log_that_holds_only_a_header_still_makes_a_site(make: SimpleNamespace) -> None:
    site = html.site(make.log(make.header(runtimes=[])))
    assert set(site) == {"index.html", "deviations.html", "models.html", "costs.html"}
    assert "This run measured no costs" in site["costs.html"].decode()


def test_bare_lines_without_optional_keys_make_pages(make: SimpleNamespace) -> None:
    keys = (
        "kind",
        "case",
        "op",
        "row",
        "runtime",
        "target",
        "verdict",
        "expected",
        "error",
        "limit",
        "cases",
        "message",
    )
    case = {key: value for key, value in make.case("ADD", "int8", "lite", "host").items() if key in keys}
    failure = {**case, "kind": "failure", "verdict": "crash", "expected": False, "message": "m"}
    cost = {"kind": "cost", "op": "ADD", "target": "host"}
    header = {"kind": "header", "format": 1, "version": "0", "seed": 1}
    site = html.site(make.log(header, case, failure, cost))
    assert "op/ADD.html" in site


EVIL = "</style></script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&"


def test_no_text_of_a_log_becomes_markup(make: SimpleNamespace) -> None:
    tensor = {"name": EVIL, "role": EVIL, "dtype": EVIL, "shape": [1], "scale": EVIL, "data": [EVIL]}
    spec = {**make.spec(EVIL, (EVIL,)), "summary": EVIL, "file": EVIL, "see": ["javascript:alert(1)", EVIL]}
    texts = {"message": EVIL, "law": EVIL, "unit": EVIL, "attributes": {EVIL: EVIL}, "meters": {EVIL: 1}}
    failure = make.failure(
        EVIL, EVIL, EVIL, EVIL, **texts, inputs=[tensor], replay=EVIL, issue="javascript:x", because=EVIL
    )
    agreement = {"kind": "agreement", "case": EVIL, "op": EVIL, "row": EVIL, "outlier": EVIL, "groups": [[EVIL]]}
    cost = {"kind": "cost", "op": EVIL, "target": EVIL, "own": 1}
    missing = {"kind": "unavailable", "runtime": EVIL, "message": EVIL}
    cases = [make.case(EVIL, EVIL, EVIL, EVIL, **{**texts, "law": law}) for law in ("", EVIL)]
    site = html.site(make.log(make.header(version=EVIL, tier=EVIL), spec, missing, *cases, failure, agreement, cost))
    for name, data in site.items():
        assert re.fullmatch(r"[A-Za-z0-9_./-]+", name)
        assert ".." not in name
        if name.endswith(".html"):
            page = Page(data)
            assert page.tags["script"] == 2, name
            assert page.tags["img"] == 0, name
            assert not any(link.startswith("javascript") for link in page.links), name


def test_a_model_that_is_no_base64_has_no_link(make: SimpleNamespace) -> None:
    site = html.site(make.log(make.header(), make.failure("ADD", "int8", "lite", "host", model="%%%")))
    assert not any(name.startswith("models/") for name in site)


def test_the_same_log_gives_the_same_site(log: Log, site: Mapping[str, bytes]) -> None:
    assert html.site(log) == site


def test_writing_a_site_makes_its_folders(tmp_path: Path, site: Mapping[str, bytes]) -> None:
    html.write(site, tmp_path / "new" / "site")
    assert (tmp_path / "new" / "site" / "op" / "CONV_2D.html").read_bytes() == site["op/CONV_2D.html"]


def test_rows_whose_bound_nobody_comes_near_are_listed_the_widest_first() -> None:
    def cell(error: float, limit: float) -> summary.Cell:
        return summary.Cell("pass", worst=summary.Worst(error, limit, "ulp", "A/b/0"))

    found = {
        ("WIDE", "float32", "a"): cell(0.001, 1.0),
        ("WIDE", "float32", "b"): cell(0.01, 1.0),
        ("WIDER", "float32", "a"): cell(0.001, 1.0),
        ("NARROW", "float32", "a"): cell(0.001, 1.0),
        ("NARROW", "float32", "b"): cell(0.5, 1.0),
        ("EXACT", "float32", "a"): cell(0.0, 1.0),
    }
    assert html.loose(found) == [("WIDER", "float32", "ulp", 0.001, 1.0), ("WIDE", "float32", "ulp", 0.01, 1.0)]


def test_the_costs_page_compares_boards_figure_by_figure_and_with_the_baseline(site: Mapping[str, bytes]) -> None:
    page = site["costs.html"].decode()
    assert page.count('<table class="costs">') == 6  # this log has no scratch
    assert 'data-value="1180' in page
    assert '<small class="delta">+24 (+2.1\u202f%)</small>' in page
    compared = page[page.index('id="boards"') :].partition("</table>")[0]
    assert all(f">{name}</th>" in compared for name in ("Flash, own", "Stack", "Arena", "Instructions", "cortex-m0"))
