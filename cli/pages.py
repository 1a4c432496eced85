# SPDX-License-Identifier: Apache-2.0
"""Manual pages and completion for shells, made of what the program says of itself: its --help, that of
every verb, and `list keys`.

usage: pages.py DETENT FOLDER

Writes detent.1, detent-recipe.5, detent.bash, _detent (zsh) and detent.fish into FOLDER.
"""
import json
import os
import re
import subprocess
import sys



def ask(detent, *args):
    return subprocess.run([detent, *args], check=True, stdout=subprocess.PIPE, text=True,
                          env=dict(os.environ, COLUMNS="200")).stdout


class Verb:
    """What `detent VERB --help` tells."""

    def __init__(self, detent, name, forms, help_text):
        self.name, self.forms, self.help, self.options = name, forms, help_text, []
        for line in ask(detent, name, "--help").splitlines():
            found = re.match(r"^ {2,8}(?:-\w(?: [A-Z]\S*)?, )?(--[\w-]+)(?:[= ](\S(?:\S| (?! ))*))?"
                             r"(?:  +(\S.*))?$", line)
            if found:
                self.options.append([found[1], found[2] or "", found[3] or ""])
            elif self.options and re.match(r"^ {20,}\S", line):
                last = self.options[-1]
                last[2] = (last[2] + " " + line.strip()).strip()
        self.options = [o for o in self.options if o[0] not in ("--help", "--usage")]


def verbs_of(detent):
    """In the order of --help: lines of forms, then one of help."""
    found, forms = [], []
    for line in ask(detent, "--help").splitlines():
        form = re.match(r"^  detent (\S+) ?(.*)$", line)
        if form:
            forms.append((form[1], form[2]))
        elif line.startswith("      ") and forms:
            name = forms[0][0]
            found.append(Verb(detent, name, [f for _, f in forms], line.strip()))
            forms = []
    return found


# ---- manual pages ----

def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def manual(verbs, version):
    out = [f'.TH DETENT 1 "" "detent {version}" "User Commands"', ".ad l", ".nh", ".SH NAME",
           r"detent \- quantization-aware training, and the integer models it ends in", ".SH SYNOPSIS"]
    for verb in verbs:
        for form in verb.forms:
            out += [f".B detent {verb.name}", roff(form), ".br"]
    out += [".SH DESCRIPTION", "Trains networks from recipes, with quantizers in them, and shows that "
            "what is exported is what was trained. Recipes are described in",
            ".BR detent\\-recipe (5).", ".SH COMMANDS"]
    for verb in verbs:
        out += [f".SS {verb.name}", roff(verb.help)]
        for name, value, text in verb.options:
            out += [".TP", f".BR {roff(name)}" + (f" = {roff(value)}" if value else ""),
                    roff(text) or "."]
    out += [".SH EXIT STATUS", "0; 1 where it refuses, with one line that names place, value and rule; "
            "130 where it was stopped and can go on.", ".SH ENVIRONMENT", ".TP", ".B NO_COLOR",
            "no colours, if it is set and not empty", ".TP", ".B TMPDIR",
            "where folders for the time of a command are made", ".SH SEE ALSO",
            ".BR detent\\-recipe (5)"]
    return "\n".join(out) + "\n"


def recipe_manual(keys, version):
    out = [f'.TH DETENT\\-RECIPE 5 "" "detent {version}" "File Formats"', ".ad l", ".nh", ".SH NAME",
           r"detent\-recipe \- keys of a recipe", ".SH DESCRIPTION",
           "A recipe is a YAML file. On the command line a key is set by KEY=VALUE. Keys that stand "
           "behind a name in brackets are there when that is chosen.", ".SH KEYS"]
    for k in keys:
        row = f" ({k['row']})" if k["row"] else ""
        out += [".TP", f".BR {roff(k['key'])} {roff(row)}".rstrip(),
                roff(f"{k['help']}; {k['rule']}; default: {k['default'] or 'none'}")]
    return "\n".join(out + [".SH SEE ALSO", ".BR detent (1)"]) + "\n"


# ---- completion ----

def bash(verbs, lists, keys):
    cases = "\n".join(f"        {v.name}) options=\"{' '.join(o[0] for o in v.options)} --help\" ;;"
                      for v in verbs)
    return f"""# Completion of detent for bash; made by cli/pages.py.
_detent()
{{
    local word=${{COMP_WORDS[COMP_CWORD]}} verb=${{COMP_WORDS[1]}} options=
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        COMPREPLY=($(compgen -W "{' '.join(v.name for v in verbs)} --help --version" -- "$word"))
        return
    fi
    case $verb in
{cases}
    esac
    if [[ $word == -* ]]; then
        COMPREPLY=($(compgen -W "$options" -- "$word"))
    elif [[ $verb == list ]] && ((COMP_CWORD == 2)); then
        COMPREPLY=($(compgen -W "{' '.join(lists)}" -- "$word"))
    elif [[ $word == *.* && $word != */* ]]; then
        COMPREPLY=($(compgen -W "{' '.join(k + '=' for k in keys)}" -- "$word") $(compgen -f -- "$word"))
        [[ ${{COMPREPLY[0]}} == *= ]] && compopt -o nospace 2>/dev/null
    else
        COMPREPLY=($(compgen -f -- "$word"))
    fi
    return 0
}}
complete -o filenames -F _detent detent
"""


def quoted(text):
    return text.replace("'", "'\\''").replace("[", "(").replace("]", ")").replace(":", "\\:")


def zsh(verbs, lists, keys):
    names = "\n".join(f"    '{v.name}:{quoted(v.help)}'" for v in verbs)
    cases = []
    for v in verbs:
        options = " ".join(f"'{name}{'=' if value else ''}[{quoted(text)}]" +
                           (f":{quoted(value)}:_files'" if value else "'")
                           for name, value, text in v.options)
        what = f"'*:what:({' '.join(lists)})'" if v.name == "list" else "'*:word:_detent_words'"
        cases.append(f"    {v.name}) _arguments {options} '--help[tell more]' {what} ;;")
    return f"""#compdef detent
# Completion of detent for zsh; made by cli/pages.py.
_detent_words() {{
  _files
  compadd -S '' -- {' '.join(k + '=' for k in keys)}
}}
_detent() {{
  local -a verbs
  verbs=(
{names}
  )
  if (( CURRENT == 2 )); then
    _describe verb verbs
    return
  fi
  local verb=$words[2]
  shift words
  (( CURRENT-- ))
  case $verb in
{chr(10).join(cases)}
  esac
}}
_detent "$@"
"""


def fish(verbs, lists, keys):
    def text(t):
        return t.replace("\\", "\\\\").replace("'", "\\'")

    out = ["# Completion of detent for fish; made by cli/pages.py."]
    for v in verbs:
        out.append(f"complete -c detent -f -n __fish_use_subcommand -a {v.name} -d '{text(v.help)}'")
    for v in verbs:
        seen = f"-n '__fish_seen_subcommand_from {v.name}'"
        out += [f"complete -c detent {seen} -l {name[2:]}{' -r' if value else ''} -d '{text(help_text)}'"
                for name, value, help_text in v.options]
        if v.name == "list":
            out.append(f"complete -c detent -f {seen} -a '{' '.join(lists)}'")
    takes = " ".join(v.name for v in verbs if any("KEY=VALUE" in f for f in v.forms))
    out.append(f"complete -c detent -n '__fish_seen_subcommand_from {takes}' -a "
               f"'{' '.join(k + '=' for k in keys)}'")
    return "\n".join(out) + "\n"


def lists_of(detent):
    """What `detent list` lists."""
    told = " ".join(ask(detent, "list", "--help").split())
    return re.split(r", | and ", re.search(r"WHAT is one of (.*?)\.", told)[1])


def main():
    detent, folder = sys.argv[1:]
    verbs, version = verbs_of(detent), ask(detent, "--version").split()[1]
    keys = json.loads(ask(detent, "list", "keys", "--json"))
    lists = lists_of(detent)
    names = sorted({k["key"] for k in keys if "<" not in k["key"]})
    made = {"detent.1": manual(verbs, version), "detent-recipe.5": recipe_manual(keys, version),
            "detent.bash": bash(verbs, lists, names), "_detent": zsh(verbs, lists, names),
            "detent.fish": fish(verbs, lists, names)}
    for name, text in made.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            f.write(text)


if __name__ == "__main__":
    main()
