"""Guards what MLflow's pages show without any set-up, in a real browser, by real clicks.

``PICTURES=FOLDER`` keeps what the browser showed.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from selenium.webdriver import Chrome
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.end_to_end.browser import can_browse, chromium
from tests.end_to_end.running import Ran
from tests.faults.stores import Server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not can_browse(), reason="Chromium and its driver are not installed"),
]
PATIENCE = 60.0  # seconds for a page to show something


@pytest.fixture(scope="module")
def server(smoke: Ran, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Give MLflow's own server over the log of a grid."""
    server = Server(tmp_path_factory.mktemp("server"), smoke.store)
    server.start()
    yield server
    server.stop()


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


def parent_of(smoke: Ran) -> Run:
    client = MlflowClient(tracking_uri=smoke.store)
    experiment = client.get_experiment_by_name("smoke")
    assert experiment is not None
    (parent,) = client.search_runs([experiment.experiment_id], "tags.kind = 'experiment'")
    return parent


def test_two_trials_are_compared_in_a_few_clicks(
    server: Server, browser: Chrome, smoke: Ran
) -> None:
    parent = parent_of(smoke)
    browser.get(f"{server.uri}/#/experiments/{parent.info.experiment_id}/runs")
    wait_for_text(browser, "Each launch is a run")
    name = f"//span[text()='{parent.info.run_name}']"
    shown(browser, f"{name}/ancestor::*[@role='presentation'][1]//button")[0].click()
    trials = shown(browser, "//a//span[contains(text(), ' · frozen ')]")
    titles = {trial.get_attribute("textContent") for trial in trials}
    cells = [(rate, freezing) for rate in ("1e-1", "1e-2") for freezing in ("all", "some")]
    assert titles == {f"adamw {rate} · frozen {freezing}" for rate, freezing in cells}
    compared = trials[:2]
    for trial in compared:
        row = "./ancestor::div[@role='row']//input[@type='checkbox']"
        trial.find_element("xpath", row).click()
    keep(browser, "experiment")
    chosen = {trial.get_attribute("textContent") for trial in compared}
    shown(browser, "//button[normalize-space()='Compare']")[0].click()
    runs = [run for run in smoke.trials() if run.info.run_name in chosen]
    wait_for_text(browser, "Comparing 2 Runs", *sorted(str(title) for title in chosen))
    rates = [run.data.params["learning_rate"] for run in runs]
    wait_for_text(browser, "learning_rate", "optimizer", "adamw", *rates)
    metrics = shown(browser, "//input[@role='combobox']")[1]  # the first chooses parameters
    metrics.send_keys("test_f1")
    shown(browser, "//*[@title='test_f1']")
    metrics.send_keys(Keys.ENTER)
    scores = [f"{run.data.metrics['test_f1']:.5f}" for run in runs]  # the ends of its axis
    wait_for_text(browser, *scores)
    keep(browser, "comparison")


def test_a_launch_tells_what_it_is_and_keeps_its_pictures(
    server: Server, browser: Chrome, smoke: Ran
) -> None:
    parent = parent_of(smoke)
    page = f"{server.uri}/#/experiments/{parent.info.experiment_id}/runs/{parent.info.run_id}"
    browser.get(page)
    wait_for_text(browser, "4 trials on embedded with the encoder embedded")
    browser.get(f"{page}/artifacts")
    shown(browser, "//*[text()='figures']")[0].click()
    wait_for_text(browser, "table.svg")
