"""Join a widget's JavaScript module with those that it imports into one text, which a page loads.

Front ends take a widget's script as one text that imports nothing. The files are plain modules all
the same: a browser or Node loads them as they are.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
_IMPORT = re.compile(r'^import \{([\w$,\s]*)\} from "(\.\.?/[\w./-]+\.js)";$', re.M)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|const|class) ([A-Za-z_$][\w$]*))", re.M)
_DEFAULT = re.compile(r"^export default \{ render(?:: \w+)? \};$", re.M)
_OTHER = re.compile(r"^(?:import|export)\b.*|\bimport(?:\s*\(|\.meta\b).*", re.M)
_DECLARED = re.compile(
    r"^(?:export )?(?:(?:async )?function\*?|const|let|var|class) ([\w$]+|[\[{][^=]*[\]}])", re.M
)


class _Module(NamedTuple):
    path: Path
    imports: list[tuple[Path, list[tuple[str, str]]]]  # of each file: (its name, the name here)
    exports: list[str]
    text: str  # without imports


def script(name: str, folder: Path = HERE) -> str:
    """Return the JavaScript of a widget: all it imports, each in a scope of its own, then itself.

    Args:
        name: the module ``name.js``; it ends with ``export default { render };``.
        folder: where it stands.

    Raises:
        ValueError: a missing module, a name that a module does not export, two things of one name,
            modules that import each other in a circle, or an import or export of a form other than
            ``import { a, b as c } from "./x.js";``, ``export function``, ``const`` or ``class``.

    """
    main = (folder / f"{name}.js").resolve()
    modules: dict[Path, _Module] = {}
    _collect(main, (), modules)
    scopes = {path: f"${k}_{path.stem}" for k, path in enumerate(modules)}
    parts = []
    for module in modules.values():
        lines = [
            f"const {{ {', '.join(a if a == b else f'{a}: {b}' for a, b in names)} }} = "
            f"{scopes[path]};"
            for path, names in module.imports
        ]
        text = "\n".join([*lines, module.text.strip()])
        if module.path != main:
            text = _EXPORT.sub("", text)
            given = ", ".join(module.exports)
            text = f"const {scopes[module.path]} = (() => {{\n{text}\nreturn {{ {given} }};\n}})();"
        parts.append(text)
    return "\n\n".join(parts) + "\n"


def _collect(path: Path, above: tuple[Path, ...], modules: dict[Path, _Module]) -> None:
    """Add the module at `path` behind those that it imports; `above` are those that import it."""
    if path in above:
        circle = " → ".join(each.name for each in (*above[above.index(path) :], path))
        raise ValueError(f"modules import each other in a circle: {circle}")
    if path in modules:
        return
    module = _read(path, is_main=not above)
    for other, names in module.imports:
        if not other.is_file():
            raise ValueError(f"{path.name} imports {other.name}, but there is no {other}")
        _collect(other, (*above, path), modules)
        for theirs, _ in names:
            if theirs not in modules[other].exports:
                raise ValueError(
                    f"{path.name} imports {theirs!r}, but {other.name} exports "
                    f"{', '.join(modules[other].exports) or 'nothing'}"
                )
    modules[path] = module


def _read(path: Path, *, is_main: bool) -> _Module:
    source = path.read_text(encoding="utf-8")
    imports = [
        ((path.parent / file).resolve(), [_pair(name) for name in names.split(",") if name.strip()])
        for names, file in _IMPORT.findall(source)
    ]
    text = _IMPORT.sub("", source)
    rest = _EXPORT.sub("", _DEFAULT.sub("", text) if is_main else text)
    if other := _OTHER.search(rest):
        raise ValueError(f"{path.name}: cannot join {other[0]!r}; see script() for what it takes")
    names = [ours for _, pairs in imports for _, ours in pairs]
    for declared in _DECLARED.findall(text):
        names += re.findall(r"[\w$]+(?!\s*:|[\w$])", declared)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{path.name} has two things named {', '.join(twice)}")
    return _Module(path, imports, _EXPORT.findall(text), text)


def _pair(name: str) -> tuple[str, str]:
    theirs, _, ours = name.strip().partition(" as ")
    return theirs, ours or theirs
