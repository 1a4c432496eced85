# SPDX-License-Identifier: Apache-2.0
"""The pages of the site: those of docs/, and a reference made of what the program says of itself.

usage: site.py DETENT FOLDER

Makes FOLDER/mkdocs.yml and FOLDER/docs; `mkdocs build --strict` in FOLDER makes the site.
"""
import ast
import html
import json
import os
import shutil
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "cli"))
import pages

CONFIG = """\
site_name: Detent
theme:
  name: material
  font: false
  palette:
    - {media: "(prefers-color-scheme: light)", scheme: default}
    - {media: "(prefers-color-scheme: dark)", scheme: slate}
plugins: [search]
markdown_extensions: [tables, fenced_code, {toc: {permalink: true}}]
validation: {links: {anchors: warn}}
nav:
  - Detent: index.md
  - Tutorials:
      - A net for your own pictures: tutorials/deployer.md
      - A table of methods: tutorials/researcher.md
      - Several machines: several-machines.md
  - Reference:
      - Commands: reference/commands.md
      - Keys of a recipe: reference/keys.md
      - Methods, models, exporters: reference/lists.md
      - Python: reference/python.md
  - Measurements:
      - Results: results.md
      - Performance: performance.md
      - Operators: operators.md
      - Using the model: use-the-model.md
      - Export: export.md
  - Architecture: architecture.md
"""


def cell(text):
    return html.escape(text, quote=False).replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")


def commands(detent):
    out = ["# Commands", ""]
    for verb in pages.verbs_of(detent):
        out += [f"## {verb.name}", ""] + [f"    detent {verb.name} {form}" for form in verb.forms]
        out += ["", cell(verb.help), ""]
        if verb.options:
            out += ["| option | |", "| --- | --- |"]
        out += [f"| `{name}{'=' if value else ''}{value}` | {cell(text)} |".replace("`|`", "`\\|`")
                for name, value, text in verb.options] + [""]
    return "\n".join(out)


def keys(detent):
    out, section = ["# Keys of a recipe", "", "On the command line: `KEY=VALUE`. A name in brackets: the key "
                    "is there when that is chosen.", ""], None
    for k in json.loads(pages.ask(detent, "list", "keys", "--json")):
        first = k["key"].split(".")[0] if "." in k["key"] else "the recipe"
        if first != section:
            section = first
            out += ["", f"## {section}", "", "| key | default | |", "| --- | --- | --- |"]
        row = f" ({k['row']})" if k["row"] else ""
        default = f"`{k['default']}`" if k["default"] else "&ndash;"
        out.append(f"| `{k['key']}`{cell(row)} | {default} | {cell(k['help'])}; {cell(k['rule'])} |")
    return "\n".join(out) + "\n"


def lists(detent):
    out = ["# Methods, models, exporters", "", "What recipes and commands can name."]
    for what in pages.lists_of(detent):
        if what == "keys":
            continue
        out += ["", f"## {what}", "", "| name | |", "| --- | --- |"]
        out += [f"| `{row['name']}` | {cell(row['help'])} |"
                for row in json.loads(pages.ask(detent, "list", what, "--json"))]
    return "\n".join(out) + "\n"


def signature(node):
    args = ast.unparse(node.args)
    return args.removeprefix("self, ").removeprefix("self")


def told(node, name):
    """A function or a class, its docstring taken as Markdown."""
    called = node
    if isinstance(node, ast.ClassDef):
        called = next((n for n in node.body if getattr(n, "name", "") == "__init__"), None)
    head = [f"`{name}({signature(called)})`", ""] if called else []
    return head + [ast.get_docstring(node) or "", ""]


def module():
    """The module for Python, read without running it."""
    folder, found = os.path.join(ROOT, "api", "detent"), {}
    for name in sorted(n for n in os.listdir(folder) if n.endswith(".py")):
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            tree = ast.parse(f.read())
        found.update({n.name: n for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))})
        if name == "__init__.py":
            about = ast.get_docstring(tree)
            public = next(ast.literal_eval(n.value) for n in tree.body if isinstance(n, ast.Assign)
                          and getattr(n.targets[0], "id", "") == "__all__")
    out = ["# Python", "", "`pip install .` in the source tree. A [notebook](../tutorials/python.ipynb) goes "
           "through it from arrays to an integer net.", "", about, ""]
    for name in (n for n in public if n in found):
        out += [f"## {name}", ""] + told(found[name], name)
        for method in getattr(found[name], "body", []) if isinstance(found[name], ast.ClassDef) else []:
            if isinstance(method, ast.FunctionDef) and method.name[0] != "_":
                out += told(method, f"{name}.{method.name}")
    return "\n".join(out) + "\n"


def main():
    detent, folder = sys.argv[1:]
    to = os.path.join(folder, "docs")
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(os.path.join(ROOT, "docs"), to, ignore=shutil.ignore_patterns("*.py"))
    os.makedirs(os.path.join(to, "reference"))
    made = {"mkdocs.yml": CONFIG, "docs/reference/commands.md": commands(detent),
            "docs/reference/keys.md": keys(detent), "docs/reference/lists.md": lists(detent),
            "docs/reference/python.md": module()}
    for name, text in made.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            f.write(text)


if __name__ == "__main__":
    main()
