"""Guards what MLflow's pages show under the printed link, in a real browser, by real clicks.

``PICTURES=FOLDER`` keeps what the browser showed; docs/comparison.png is its ``view.png``.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from selenium.webdriver import Chrome
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from measures.objective import VALIDATION_F1
from tests.end_to_end.browser import can_browse, chromium
from tests.end_to_end.running import Ran, started
from tests.end_to_end.servers import free_port, wait_until_it_answers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not can_browse(), reason="Chromium and its driver are not installed"),
]
PATIENCE = 60.0  # seconds for a page to show something
VARIED = ("freezing", "learning_rate")
SCORES = (VALIDATION_F1, "test_f1_at_threshold", "val_auc", "test_auc")
COLUMNS = (
    *(f"params.`{name}`" for name in VARIED),
    *(f"metrics.`{name}`" for name in SCORES),
    "tags.`flags`",
    "attributes.`Dataset`",
    "attributes.`Source`",
)


@pytest.fixture(scope="module")
def link(smoke: Ran, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address that ``ui`` prints over the log of a grid, while it serves the pages."""
    port = free_port()
    words = ["ui", "--tracking-uri", smoke.store, "--port", str(port)]
    with started([sys.executable, "-m", "tuning.tracking", *words]) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        log = tmp_path_factory.mktemp("server") / "none.log"
        log.touch()
        wait_until_it_answers(f"http://127.0.0.1:{port}/health", log)
        yield line.removeprefix("The newest launch: ").strip()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


def shown(browser: Chrome, path: str) -> list[WebElement]:
    """Return what is found on the page as soon as anything is."""
    waiting = WebDriverWait(browser, PATIENCE)
    return waiting.until(lambda driver: driver.find_elements("xpath", path))


def wait_for_text(browser: Chrome, *texts: str) -> None:
    """Return when all texts stand on the page."""

    def all_there(driver: Chrome) -> bool:
        page = driver.execute_script("return document.body.textContent")
        return all(text in page for text in texts)

    WebDriverWait(browser, PATIENCE).until(all_there, f"not on the page: {texts}")


def keep(browser: Chrome, name: str) -> None:
    """Keep a picture of the page, if it was asked for."""
    if folder := os.environ.get("PICTURES"):
        browser.save_screenshot(str(Path(folder) / f"{name}.png"))


@pytest.fixture(scope="module")
def view(browser: Chrome, link: str) -> Chrome:
    """Return the browser with the link opened, which takes seconds; the last test goes on from it.

    It closes the panel that MLflow opens on the first visit, if it does.
    """
    browser.get(link)
    shown(browser, "//*[@role='columnheader'][@col-id]")
    for button in browser.find_elements("xpath", "//button[@aria-label='Close']"):
        button.click()
    shown(browser, "//*[@role='columnheader'][@col-id='attributes.`Source`']")
    return browser


def column(browser: Chrome, name: str) -> list[str]:
    """Return the texts in a column of the table of runs, from the top."""
    rows = "//div[@role='row'][@row-index]"
    cells = shown(browser, f"{rows}//div[@role='gridcell'][@col-id='{name}']")
    numbers = [cell.find_element("xpath", "./ancestor::div[@row-index]") for cell in cells]
    pairs = {
        int(str(n.get_attribute("row-index"))): c for n, c in zip(numbers, cells, strict=True)
    }
    return [str(pairs[number].get_attribute("textContent")) for number in sorted(pairs)]


def parent_of(smoke: Ran) -> Run:
    client = MlflowClient(tracking_uri=smoke.store)
    experiment = client.get_experiment_by_name("smoke")
    assert experiment is not None
    (parent,) = client.search_runs([experiment.experiment_id], "tags.kind = 'experiment'")
    return parent


def best_first(smoke: Ran) -> list[Run]:
    return sorted(smoke.trials(), key=lambda run: -run.data.metrics[VALIDATION_F1])


def test_the_end_of_a_launch_prints_the_link(smoke: Ran, link: str) -> None:
    view = link.partition("/#/")[2]
    assert f"http://127.0.0.1:5000/#/{view}" in smoke.ended.stdout
    assert f"viewStateShareKey={parent_of(smoke).data.tags['launch']}" in view


def test_the_link_shows_the_trials_best_first_with_scores_data_and_source(
    view: Chrome, smoke: Ran
) -> None:
    browser, trials = view, best_first(smoke)
    wait_for_text(browser, "Sort: val_f1_at_threshold", f"{len(trials)} matching runs")
    headers = browser.find_elements("xpath", "//*[@role='columnheader'][contains(@col-id, '`')]")
    lefts = {str(head.get_attribute("col-id")): head.location["x"] for head in headers}
    assert [name for name in sorted(lefts, key=lefts.__getitem__) if name in COLUMNS] == [*COLUMNS]
    titles = column(browser, "attributes.`Run Name`")  # each after the name of its color
    ends = [str(run.info.run_name) for run in trials]
    assert [title[-len(end) :] for title, end in zip(titles, ends, strict=True)] == ends
    for name in SCORES:
        shown_scores = [float(text) for text in column(browser, f"metrics.`{name}`")]
        assert shown_scores == pytest.approx([run.data.metrics[name] for run in trials])
    for name in VARIED:
        expected = [run.data.params[name] for run in trials]
        assert column(browser, f"params.`{name}`") == expected
    assert column(browser, "tags.`flags`") == [run.data.tags["flags"] for run in trials]
    assert set(column(browser, "attributes.`Source`")) == {"run_grid.py"}
    fingerprint = parent_of(smoke).data.tags["data_fingerprint"]
    assert all(fingerprint in text for text in column(browser, "attributes.`Dataset`"))
    keep(browser, "view")


def test_two_trials_are_compared_in_a_few_clicks(view: Chrome, smoke: Ran) -> None:
    browser, compared = view, best_first(smoke)[:2]
    for run in compared:
        title = shown(browser, f"//a//span[text()='{run.info.run_name}']")[0]
        title.find_element(
            "xpath", "./ancestor::div[@role='row']//input[@type='checkbox']"
        ).click()
    shown(browser, "//button[normalize-space()='Compare']")[0].click()
    wait_for_text(browser, "Comparing 2 Runs", *(str(run.info.run_name) for run in compared))
    rates = [run.data.params["learning_rate"] for run in compared]
    wait_for_text(browser, "learning_rate", "optimizer", "adamw", *rates)
    scores = [f"{run.data.metrics[VALIDATION_F1]:.5f}" for run in compared]  # ends of its axis
    wait_for_text(browser, VALIDATION_F1, *scores)  # chosen by the page itself
    keep(browser, "comparison")
    listed = shown(browser, "//a[contains(@href, 'metric')]")
    names = [str(cell.get_attribute("textContent")) for cell in listed]
    assert "test_f1" in names
    assert names == sorted(names)
    assert not [name for name in names if "/" in name]  # curves come after all final scores


def test_a_launch_tells_what_it_is_and_keeps_its_pictures(
    browser: Chrome, smoke: Ran, link: str
) -> None:
    parent = parent_of(smoke)
    server = link.partition("/#/")[0]
    page = f"{server}/#/experiments/{parent.info.experiment_id}/runs/{parent.info.run_id}"
    browser.get(page)
    wait_for_text(browser, "4 trials on embedded with the encoder embedded")
    browser.get(f"{page}/artifacts")
    shown(browser, "//*[text()='figures']")[0].click()
    wait_for_text(browser, "table.svg")
