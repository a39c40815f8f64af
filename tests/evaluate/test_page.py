"""The report: what is in it, and that it works in a real browser."""

import re
import runpy
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from rdepth_keras.evaluate import page, plots
from rdepth_keras.evaluate.counts import count_probabilities
from rdepth_keras.evaluate.gallery import LAYERS, exhibit
from rdepth_keras.labels import LOVEDA

MADE = runpy.run_path(str(Path(__file__).with_name("made_tiles.py")))
make_tiles, predict = MADE["make_tiles"], MADE["predict"]

JOURNAL = [{"step": step, "loss": 2 / step} for step in range(1, 9)]
CHECKED = [*JOURNAL, {"step": 9, "validation": {"miou": 0.4}}, {"step": 10, "validation": {}}]


def make_page(title="a run", journal=JOURNAL):
    counts = count_probabilities(predict, make_tiles(), 7)
    exhibits = [
        exhibit(tile, predict(tile), 0.9 - 0.1 * (tile["id"] - 30), LOVEDA) for tile in make_tiles()
    ]
    scores = counts.all_scores(LOVEDA)
    facts = {"protocol": "r2u, target validation", "seeds": "0"}
    return page.render(title, facts, scores, counts, exhibits, journal, LOVEDA)


@pytest.fixture(scope="module")
def html():
    return make_page()


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.ids, self.sources, self.names = [], [], []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        self.sources += [found[key] for key in ("src", "href", "xlink:href") if key in found]
        self.names += [found["aria-label"]] if "aria-label" in found else []


def test_everything_is_in_the_page(html):
    reader = Reader()
    reader.feed(html)
    assert all(source.startswith(("data:", "#")) for source in reader.sources)
    assert not re.search(r"url\((?!#)", html) and "@import" not in html
    assert len(set(reader.ids)) == len(reader.ids)
    assert {"Classes", "Calibration", "Risk at coverage", "Training"} <= set(reader.names)
    assert html.count("<article") == 5 and html.count("<svg") == 4
    for name in (*LOVEDA.names, *LAYERS):
        assert name in html
    assert plots.INK not in html and "currentColor" in html


def test_the_same_scores_make_the_same_page(html):
    assert make_page() == html


def test_names_are_escaped():
    assert "<b>x</b>" not in make_page(title="<b>x</b>")


def test_a_run_without_a_journal_and_one_with_validations():
    assert make_page(journal=[]).count("<svg") == 3
    assert "validation mIoU" in make_page(journal=CHECKED)


def test_what_to_install(monkeypatch):
    monkeypatch.setattr(page, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"jinja2 and matplotlib.*\[report\]"):
        make_page()


@pytest.fixture(scope="module")
def browser():
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip("Chromium and its driver are not installed (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.add_argument("--window-size=1200,900")
    found = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield found
    found.quit()


@pytest.fixture
def opened(browser, html, tmp_path):
    (tmp_path / "report.html").write_text(html, encoding="utf-8")
    browser.get((tmp_path / "report.html").as_uri())
    yield browser
    assert browser.get_log("browser") == []  # no console error, nothing blocked, nothing asked for
    assert browser.execute_script("return performance.getEntriesByType('resource').filter("
                                  "one => !one.name.startsWith('data:')).length") == 0  # fmt: skip


def choose(browser, select, text):
    from selenium.webdriver.support.ui import Select

    Select(browser.find_element("id", select)).select_by_visible_text(text)


def order(browser):
    return [tile.get_attribute("data-id") for tile in browser.find_elements("tag name", "article")]


def test_tiles_are_sorted(opened):
    assert order(opened) == ["34", "33", "32", "31", "30"]
    choose(opened, "order", "mIoU, best first")
    assert order(opened) == ["30", "31", "32", "33", "34"]
    choose(opened, "order", "mIoU, worst first")
    assert order(opened) == ["34", "33", "32", "31", "30"]


def test_the_slider_is_dragged_and_moved_by_keys(opened):
    from selenium.webdriver import ActionChains, Keys

    slider = opened.find_element("css selector", ".stage input")
    left = opened.find_element("css selector", ".stage img.left")

    def clip():
        return left.value_of_css_property("clip-path")

    assert "50%" in clip()
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", slider)
    quarter = slider.size["width"] // 4
    ActionChains(opened).move_to_element(slider).click_and_hold().move_by_offset(
        quarter, 0
    ).release().perform()
    assert 70 <= int(slider.get_attribute("value")) <= 80
    dragged = clip()
    assert "50%" not in dragged
    slider.send_keys(Keys.ARROW_LEFT)
    assert clip() != dragged
    other = opened.find_elements("css selector", ".stage img.left")[1]
    assert "50%" in other.value_of_css_property("clip-path")


def test_layers_are_chosen(opened):
    def shown():
        stage = opened.find_element("css selector", ".stage")
        images = stage.find_elements("tag name", "img")
        return {
            image.get_attribute("class"): image.get_attribute("data-layer")
            for image in images
            if image.value_of_css_property("visibility") == "visible"
        }

    assert shown() == {"left": "image", "right": "prediction"}
    choose(opened, "left", "truth")
    choose(opened, "right", "error")
    assert shown() == {"left": "truth", "right": "error"}
    choose(opened, "right", "truth")
    assert shown() == {"right": "truth"}
    loaded = "return [...document.images].every(one => one.complete && one.naturalWidth === 24)"
    assert opened.execute_script(loaded)


def test_both_themes_and_the_button(opened):
    def paper():
        return opened.find_element("tag name", "body").value_of_css_property("background-color")

    papers = {}
    for theme in ("light", "dark"):
        media = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        papers[theme] = paper()
    assert papers["light"] != papers["dark"]
    opened.find_element("id", "theme").click()
    assert paper() == papers["light"]
    opened.find_element("id", "theme").click()
    assert paper() == papers["dark"]


def test_every_control_is_reached_by_the_tab_key(opened):
    from selenium.webdriver import ActionChains, Keys

    reached = []
    for _ in range(12):
        ActionChains(opened).send_keys(Keys.TAB).perform()
        focused = opened.switch_to.active_element
        reached.append(focused.get_attribute("id") or focused.get_attribute("type"))
    wanted = ["theme", "left", "right", "order", "large", "range"]
    assert [name for name in reached if name in wanted][: len(wanted)] == wanted
