"""One server, one browser and two pages for all: loading takes longer than testing."""

from __future__ import annotations

import pytest

from tests.browser import lab as jupyter


@pytest.fixture(scope="session")
def browser():
    if not jupyter.find_chromium():
        pytest.skip("no Chromium found: install one or set CHROMIUM to its program")
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with jupyter.chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def lab(tmp_path_factory, browser):
    server = jupyter.Lab(tmp_path_factory.mktemp("lab"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def plain_page(browser):
    """One page for all widgets without kernel: each goes to a new document in it."""
    context = browser.new_context()
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def page(plain_page):
    plain_page.goto("about:blank")
    plain_page.set_viewport_size({"width": 1280, "height": 900})
    plain_page.emulate_media(color_scheme="light")
    return plain_page


@pytest.fixture(scope="session")
def lab_page(browser):
    """One page of JupyterLab for all notebooks."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(30_000)
    context.route(lambda url: "//127.0.0.1" not in url, jupyter.without_network)
    yield context.new_page()
    context.close()


@pytest.fixture
def open_notebook(request, lab_page, lab):
    """Return a function that opens a notebook of these cells; at the end no problem may remain."""
    opened = []

    def open_cells(*cells):
        path = lab.write(request.node.name.replace("[", "-").replace("]", ""), *cells)
        opened.append(jupyter.Notebook(lab_page, lab, path))
        return opened[-1]

    yield open_cells
    problems = [problem for notebook in opened for problem in notebook.problems]
    for notebook in opened:
        notebook.close()
    assert problems == []


@pytest.fixture
def plain(page):
    """Return a function that shows a widget without kernel and gives its element."""
    problems = []

    def page_error(error):
        problems.append(str(error))

    def console(message):
        if message.type == "error":
            problems.append(message.text)

    page.on("pageerror", page_error)
    page.on("console", console)

    def show(widget):
        jupyter.show_plain(page, widget)
        return page.locator(".dll-hero")

    yield show
    page.remove_listener("pageerror", page_error)
    page.remove_listener("console", console)
    assert problems == []
