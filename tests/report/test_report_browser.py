"""The page in a real browser, opened from disk."""

import pytest
from selenium.webdriver.common.by import By

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(params=["default_run", "hostile_run"])
def opened(browser, request):
    """The browser with a report, once as users meet it and once with hostile names."""
    store = request.getfixturevalue(request.param)
    browser.get_log("browser")
    browser.get_log("performance")
    browser.set_window_size(1280, 900)
    browser.get((store.folder / "report.html").as_uri())
    return browser


def test_console_has_no_errors_and_no_script_of_the_data_runs(opened):
    assert opened.get_log("browser") == []
    assert opened.find_elements(By.CSS_SELECTOR, "img") == []
    assert len(opened.find_elements(By.TAG_NAME, "script")) == 1


def test_nothing_is_requested_but_the_page_itself(opened):
    sent = [
        entry["message"]
        for entry in opened.get_log("performance")
        if '"Network.requestWillBeSent"' in entry["message"]
    ]
    remote = [message for message in sent if '"url":"http' in message]
    assert sent
    assert remote == []


@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_overflows_sideways(opened, width):
    # A headless window may refuse to be narrow; the emulated screen does not.
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        opened.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
        inner, scroll = opened.execute_script(
            "return [innerWidth, document.documentElement.scrollWidth]"
        )
        assert inner == width
        assert scroll <= width
    finally:
        opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_click_sorts_best_first_and_a_second_click_reverses(opened):
    table = opened.find_element(By.CSS_SELECTOR, "#leaderboard table.board")
    heads = table.find_elements(By.CSS_SELECTOR, "thead th")

    def click(column):
        heads[column].find_element(By.TAG_NAME, "button").click()
        rows = table.find_elements(By.CSS_SELECTOR, "tbody tr")
        cells = [row.find_elements(By.CSS_SELECTOR, "th, td")[column] for row in rows]
        return [cell.get_attribute("data-sort") for cell in cells]

    before = click(0)
    assert click(0) == before[::-1]
    first = click(2)
    ascending = [float(value) for value in first if value is not None]
    assert ascending == sorted(ascending)
    assert len(set(ascending)) > 3
    assert heads[2].get_attribute("aria-sort") == "ascending"
    assert heads[0].get_attribute("aria-sort") is None
    second = click(2)
    assert [float(value) for value in second if value is not None] == ascending[::-1]
    # Cells without a value stay last both ways.
    assert first[len(ascending) :] == second[len(ascending) :]


def test_figures_are_drawn_and_their_pixels_are_loaded(opened):
    sizes = opened.execute_script(
        "return [...document.querySelectorAll('figure svg')].filter(s => s.checkVisibility())"
        ".map(s => [s.getBoundingClientRect().width, s.getBoundingClientRect().height])"
    )
    assert len(sizes) > 5
    assert all(width > 200 and height > 50 for width, height in sizes)
    broken = opened.execute_async_script(
        "const done = arguments[0];"
        "const images = [...document.querySelectorAll('figure svg image')];"
        "Promise.allSettled(images.map(i => { const p = new Image();"
        " p.src = i.getAttribute('xlink:href'); return p.decode(); }))"
        ".then(all => done([all.length, all.filter(a => a.status !== 'fulfilled').length]))"
    )
    assert broken[0] > 0
    assert broken[1] == 0
