# SPDX-License-Identifier: Apache-2.0
"""The documentation as a site, without a warning, with every key, verb and row in it.

usage: site.py DETENT VENV

Exit status 77 (skipped) where mkdocs cannot be installed."""
import json
import os
import re
import subprocess
import sys
import tempfile

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "support"))
import environment


def page(folder, name):
    with open(os.path.join(folder, "site", name, "index.html"), encoding="utf-8") as f:
        return f.read()


def ask(detent, *args):
    return subprocess.run([detent, *args], check=True, stdout=subprocess.PIPE, text=True).stdout


def main():
    detent, venv = sys.argv[1:]
    python = environment.interpreter(venv, os.path.join(TESTS, "requirements-site.txt"))
    if not python:
        sys.exit(77)
    wrong = []
    with tempfile.TemporaryDirectory(prefix="detent-site-") as folder:
        maker = os.path.join(os.path.dirname(TESTS), "docs", "site.py")
        subprocess.run([sys.executable, maker, detent, folder], check=True)
        done = subprocess.run([python, "-m", "mkdocs", "build", "--strict", "-q"], cwd=folder,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env=dict(os.environ, NO_MKDOCS_2_WARNING="1"))
        if done.returncode or "WARNING" in done.stdout:
            sys.exit(f"mkdocs: exit code {done.returncode}\n{done.stdout}")
        told = page(folder, "reference/keys")
        wrong += [k["key"] for k in json.loads(ask(detent, "list", "keys", "--json"))
                  if f"<code>{k['key'].replace('<', '&lt;').replace('>', '&gt;')}</code>" not in told]
        told = page(folder, "reference/commands")
        wrong += [v for v in re.findall(r"^  detent (\S+)", ask(detent, "--help"), re.M)
                  if f'<h2 id="{v}"' not in told]
        told = page(folder, "reference/lists")
        for what in "quantizers", "models", "exporters":
            wrong += [r["name"] for r in json.loads(ask(detent, "list", what, "--json"))
                      if f"<code>{r['name']}</code>" not in told]
        told = page(folder, "reference/python")
        wrong += [n for n in ("Data", "Net", "from_torch", "quantize", "train") if f'<h2 id="{n.lower()}"' not in told]
        for name in ".", "tutorials/deployer", "tutorials/researcher", "results", "architecture":
            text = page(folder, name)
            wrong += re.findall(r'(?:src|href)="(https?://(?!squidfunk)[^"]*)"', text) if name == "." else []
            wrong += [] if "<table>" in text or "<pre>" in text else [name]
    print("\n".join(wrong) or "ok")
    sys.exit(bool(wrong))


main()
