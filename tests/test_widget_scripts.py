"""The widgets' JavaScript: its modules are joined by their imports, or refused with a reason."""

from __future__ import annotations

import base64
import importlib
import json
import re

import numpy as np
import pytest
from scipy import special, stats

from utils.layers.activations import ACTIVATIONS, activation
from utils.widgets._hero import Hero
from utils.widgets._random import uniforms
from utils.widgets._script import HERE, script

HEROES = sorted(path.stem for path in HERE.glob("*.js"))
END = "export default { render };\n"


@pytest.fixture
def write(tmp_path):
    """Return a function that writes modules and joins ``main.js``."""

    def join(**files):
        for name, text in files.items():
            path = tmp_path / f"{name.replace('__', '/')}.js"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return script("main", tmp_path)

    return join


def test_there_is_a_script_for_each_hero_and_each_shared_module_is_used():
    assert len(HEROES) == 29
    used = {
        name for hero in HEROES for name in re.findall(r"^const \$\d+_(\w+)", script(hero), re.M)
    }
    assert used == {path.stem for path in (HERE / "js").glob("*.js")}


@pytest.mark.parametrize("hero", HEROES)
def test_a_joined_script_imports_nothing_and_exports_what_the_module_does(hero):
    text, source = script(hero), (HERE / f"{hero}.js").read_text(encoding="utf-8")
    assert not re.search(r"\bimport\b", re.sub(r"//.*|/\*[^§]*?\*/", "", text))
    exports = re.compile(r"^export .*?(\w+)(?=\(| =| \{| \}|: \w+ \})", re.M)
    assert exports.findall(text) == exports.findall(source)
    assert "\nexport default { render" in text


@pytest.mark.parametrize("hero", HEROES)
def test_a_script_gives_its_numbers_to_those_who_have_no_page(hero, node):
    exported = re.findall(r"^export (?:const|function) (\w+)", script(hero), re.M)
    assert {"numbers", "walk", "choose"} & set(exported)
    with pytest.raises(RuntimeError, match=r"exports no nothing\(\)"):
        node(script(hero)).nothing()


@pytest.mark.parametrize("hero", HEROES)
def test_what_python_tells_a_script_is_used_and_travels_in_one_trait(hero):
    module = importlib.import_module(f"utils.widgets.{hero}")
    (kind,) = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Hero)
        and value.__module__ == module.__name__
    ]
    source = (HERE / f"{hero}.js").read_text(encoding="utf-8")
    for name in kind.CONSTANTS:
        assert re.search(rf"\b{name}\b", source), f"{hero}.js does not use {name}"
    assert json.loads(json.dumps(kind.CONSTANTS)) or hero == "prediction"  # which asks, only
    assert kind.class_traits()["constants"].metadata["sync"]


@pytest.mark.parametrize("hero", HEROES)
def test_a_script_writes_no_looks_but_those_that_it_computes(hero):
    source = (HERE / f"{hero}.js").read_text(encoding="utf-8")
    assert "cssText" not in source
    assert not re.search(r"""\bstyle: ["'][^`]""", source)
    assert not re.search(r"\.style\.\w+ = \"", source)


def test_modules_come_once_before_those_that_need_them(write):
    text = write(
        main='import { left } from "./js/left.js";\nimport { right } from "./js/right.js";\n' + END,
        js__left='import { base } from "./base.js";\nexport const left = base + 1;\n',
        js__right='import { base } from "./base.js";\nexport const right = base + 2;\n',
        js__base="export const base = 1;\n",
    )
    assert re.findall(r"^const \$\d_(\w+) = \(\(\) => \{$", text, re.M) == ["base", "left", "right"]


def test_a_module_becomes_a_scope_and_the_main_one_stays_open(write):
    text = write(
        main='import {\n  one,\n  two as second,\n} from "./a.js";\nconst hidden = one;\n' + END,
        a="const hidden = 1;\nexport const one = hidden;\nexport function two() {}\n",
    )
    assert text == (
        "const $0_a = (() => {\nconst hidden = 1;\nconst one = hidden;\nfunction two() {}\n"
        "return { one, two };\n})();\n\n"
        "const { one, two: second } = $0_a;\nconst hidden = one;\n" + END
    )


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"main": 'import { a } from "./b.js";\n'}, "main.js imports b.js, but there is no .*b.js"),
        (
            {"main": 'import { a } from "./b.js";\n', "b": "const a = 1;\n"},
            "main.js imports 'a', but b.js exports nothing",
        ),
        (
            {"main": 'import { c } from "./b.js";\n', "b": "export const a = 1, b = 2;\n"},
            "imports 'c', but b.js exports a",
        ),
        (
            {
                "main": 'import { b } from "./b.js";\n',
                "b": 'import { c } from "./c.js";\nexport const b = 1;\n',
                "c": 'import { b } from "./b.js";\nexport const c = 1;\n',
            },
            "in a circle: b.js → c.js → b.js",
        ),
        ({"main": 'import { main } from "./main.js";\n'}, "in a circle: main.js → main.js"),
        (
            {
                "main": 'import { a } from "./b.js";\nimport { a } from "./c.js";\n',
                "b": "export const a = 1;\n",
                "c": "export const a = 2;\n",
            },
            "main.js has two things named a",
        ),
        (
            {"main": 'import { x as a } from "./b.js";\nconst [z, a] = [1, 2];\n'},
            "main.js has two things named a",
        ),
        (
            {"main": 'import { a } from "./b.js";\nexport function a() {}\n'},
            "main.js has two things named a",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(files, words, write):
    with pytest.raises(ValueError, match=words):
        write(**files)


@pytest.mark.parametrize(
    "line",
    [
        'import b from "./b.js";',
        'import * as b from "./b.js";',
        'import "./b.js";',
        'import { a } from "b";',
        'import { a } from "https://example.org/b.js";',
        'import { a } from "./b.js"; // with a word',
        'const b = await import("./b.js");',
        "const here = import.meta.url;",
        "export let a = 1;",
        "export { a };",
        'export * from "./b.js";',
        "export const [a, b] = [1, 2];",
        "export default function render() {}",
    ],
)
def test_other_forms_of_import_and_export_are_refused_by_name(line, write):
    refused = re.search("(?:im|ex)port.*", line)[0]
    with pytest.raises(ValueError, match=re.escape(f"main.js: cannot join {refused!r}")):
        write(main=f"{line}\n", b="export const a = 1;\n")


def test_only_the_main_module_renders(write):
    with pytest.raises(ValueError, match=r"b.js: cannot join 'export default \{ render \};'"):
        write(main='import { a } from "./b.js";\n', b="export const a = 1;\n" + END)


# ---------------------------------------------------------------- what the scripts share


def test_letters_are_what_is_left_of_a_text(node):
    letters = node(HERE / "js" / "text.js").letters
    typed = {"Qu3 een": "queen", "Müller-3": "muller", "ÉCOLE": "ecole", "": "", "12": ""}
    assert {text: letters(text, 16) for text in typed} == typed
    assert letters("abcdef", 3) == "abc"


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(1.234, 2, "1.23"), (-1.5, 2, "−1.50"), (-0.001, 2, "0.00"), (7, 0, "7"), (-0.06, 1, "−0.1")],
)
def test_numbers_get_a_real_minus_and_no_negative_zero(value, digits, text, node):
    assert node(HERE / "js" / "text.js").show(value, digits) == text


def test_small_mathematics_equals_scipy(node):
    math = node(HERE / "js" / "math.js")
    z = np.concatenate([np.linspace(-7, 7, 141), [-30, 0, 30, 1e-9]])
    for name, wanted in {
        "erf": special.erf(z),
        "sigmoid": special.expit(z),
        "softplus": np.logaddexp(0, z),
        "normalCdf": stats.norm.cdf(z),
        "normalPdf": stats.norm.pdf(z),
    }.items():
        shown = [getattr(math, name)(value) for value in z]
        np.testing.assert_allclose(shown, wanted, rtol=1e-12, atol=1e-15, err_msg=name)
    scores = np.random.default_rng(0).normal(0, 300, 20)
    np.testing.assert_allclose(math.softmax(scores), special.softmax(scores), rtol=1e-12)
    assert math.argmax(scores) == scores.argmax()
    assert math.norm(scores) == pytest.approx(np.linalg.norm(scores), rel=1e-14)
    assert math.mean(scores) == pytest.approx(scores.mean(), rel=1e-12)
    assert [math.clamp(value, -1, 2) for value in (-3, 0.5, 3)] == [-1, 0.5, 2]


@pytest.mark.parametrize("seed", [0, 1, 99])
def test_uniform_numbers_are_those_of_numpy(seed, node):
    uniform = node(HERE / "js" / "random.js").uniform
    assert [uniform(seed, n) for n in range(200)] == uniforms(seed, 200).tolist()


@pytest.mark.parametrize(("kind", "name"), [("<f4", "floats"), ("<f2", "halves")])
def test_numbers_that_travel_arrive(kind, name, node):
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(0, 10.0 ** rng.integers(-6, 4, 200)), [0, -0.0, 6e-8]])
    sent = values.astype(kind)
    text = base64.b64encode(sent.tobytes()).decode("ascii")
    assert getattr(node(HERE / "js" / "weights.js"), name)(text) == sent.astype(float).tolist()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_equal_numpy(name, node):
    explorer = node(script("activation_explorer"))
    z = np.concatenate([np.linspace(-4, 4, 161), [1e-300, -1e-300]])
    f, slope = activation(name, z, 0.2)
    shown = [explorer.numbers({"activation": name, "z": at, "alpha": 0.2}) for at in z]
    for key, wanted in (("f", f), ("slope", slope)):
        np.testing.assert_allclose([n[key] for n in shown], wanted, rtol=1e-12, atol=1e-15)
