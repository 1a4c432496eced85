# SPDX-License-Identifier: Apache-2.0
"""Checks what the compiler does not: who includes whom, and what no file may hold.

usage: check_layers.py SOURCE_ROOT BUILD_ROOT
"""
import json
import os
import re
import sys

# The row of a folder in the table of docs/architecture.md: `a/` | what it holds | what it may include.
FOLDER = re.compile(r"^\| `([\w/]+)/` \| [^|]+ \| ([^|]+) \|$")


def may_include(root):
    """Folder -> folders that it may include beside itself, as architecture.md has them. "x/y.h" allows
    one header. A folder within another that has a row is none of that one's."""
    may = {}
    with open(os.path.join(root, "docs", "architecture.md"), encoding="utf-8") as f:
        for line in f:
            if row := FOLDER.match(line):
                words = re.findall(r"[\w./-]+", row.group(2))
                may[row.group(1)] = (list(may) if words == ["all", "above"] else
                                     [w for w in words if w != "-"])
    return may


MAY = may_include(sys.argv[1])
FREE = ["tests", "bench"]
CALL = r"(?<![\w.>]){}\s*\("
EXITS = re.compile(CALL.format("(?:exit|_exit|abort|printf|puts|putchar|rand|srand|getenv)"))
MEMORY = re.compile(CALL.format("(?:malloc|calloc|realloc|free|aligned_alloc|posix_memalign)"))
# The text that jansson makes is freed as jansson wants it.
MEMORY_OF_LIBRARIES = {"api/common.c", "train/run/metrics.c", "train/quantize/report.c"}
# Rows of tables: the suites that loop over the tables are their tests.
ROWS = re.compile(r"/(?:op|form|quant|range|model|layer|data|dynamic|transform|optim|schedule|import|export|target|task|comm|stage|unit|var|loss|solver|metric|resource|alloc)_\w+\.c$")
# Parts of a file that is tested under its own name, or by the tests of whole runs.
PARTS = {
    "api/common.c": "e2e/module.py",
    "api/net.c": "e2e/module.py",
    "cli/wrap.c": "cli/test_wrap.c",
    "api/quantize.c": "e2e/module_data.py",
    "api/runs.c": "e2e/module.py",
    "exchange/onnx/reader/onnx_codes.c": "e2e/predict.py",
    "exchange/grid_text.c": "exchange/test_export_safetensors.c",
    "train/net/recipe_open.c": "e2e/predict.py",
    "train/bench/bench_ranks.c": "e2e/ranks.py",
    "comm/mpi_module.c": "e2e/ranks.py",
    "comm/reduce_direct.c": "comm/test_reduce.c",
    "comm/reduce_halving.c": "comm/test_reduce.c",
    "train/net/share.c": "train/test_accumulate.c",
    "train/run/evaluate_ranks.c": "e2e/ranks.py",
    "train/run/score_json.c": "e2e/module.py",
    "train/run/run_ranks.c": "e2e/ranks.py",
    "train/run/step_ranks.c": "e2e/ranks.py",
    "train/run/step_together.c": "e2e/sync_norm.py",
    "autograd/exec.c": "grad/test_graph_gradients.c",
    "autograd/together.c": "grad/test_together.c",
    "autograd/function.c": "grad/test_op_gradients.c",
    "autograd/fuse_attention.c": "autograd/test_fuse.c",
    "autograd/losses.c": "tasks/test_task.c",
    "autograd/ops.c": "grad/test_op_gradients.c",
    "autograd/plan_back.c": "autograd/test_plan.c",
    "data/folder_files.c": "data/test_data_folder.c",
    "data/folder_list.c": "data/test_data_folder.c",
    "data/folder_labels.c": "data/test_data_imagenet.c",
    "data/pack_block.c": "data/test_pack.c",
    "data/pack_read_back.c": "data/test_pack.c",
    "data/picture_jpeg.c": "data/pillow.py",
    "data/picture_png.c": "data/test_picture.c",
    "exchange/onnx/onnx_product.c": "exchange/test_export_onnx.c",
    "exchange/onnx/reader/onnx_args.c": "exchange/test_onnx_graph.c",
    "exchange/onnx/reader/onnx_fold.c": "exchange/test_onnx_graph.c",
    "exchange/onnx/reader/onnx_node.c": "exchange/test_onnx_functions.c",
    "exchange/onnx/reader/onnx_names.c": "exchange/test_onnx_graph.c",
    "exchange/onnx/reader/onnx_ops.c": "exchange/test_onnx_graph.c",
    "exchange/onnx/reader/onnx_params.c": "exchange/test_onnx_graph.c",
    "exchange/onnx/reader/onnx_read.c": "exchange/test_onnx_graph.c",
    "exchange/onnx/reader/onnx_reshape.c": "exchange/test_onnx_graph.c",
    "exchange/onnx/reader/onnx_roles.c": "exchange/test_onnx_graph.c",
    "exchange/onnx/reader/onnx_window.c": "exchange/test_onnx_graph.c",
    "exchange/onnx/reader/onnx_tensor.c": "exchange/test_onnx_external.c",
    "exchange/onnx/onnx_wire.c": "exchange/test_import_onnx.c",
    "train/net/net_file.c": "e2e/onnx.py",
    "train/inspect/inspect_onnx.c": "e2e/onnx.py",
    "exchange/onnx/onnx_value.c": "exchange/test_export_onnx.c",
    "exchange/c99/c_layers.c": "exchange/test_export_c.c",
    "exchange/c99/c_text.c": "exchange/test_export_c.c",
    "exchange/c99/c_write.c": "exchange/test_export_c.c",
    "exchange/torch/pickle_machine.c": "exchange/test_pickle.c",
    "exchange/tflite/tflite_file.c": "exchange/test_tflite_walk.c",
    "dynamics/weights.c": "dynamics/test_dynamics.c",
    "exchange/foreign_vit.c": "torch/import.py",
    "exchange/onnx/onnx_walk.c": "exchange/test_export_onnx.c",
    "fakequant/floor.c": "property/test_quantizers.c",
    "train/net/session_sites.c": "fakequant/test_kind.c",
    "fakequant/midrise.c": "property/test_quantizers.c",
    "fakequant/quantizers.c": "property/test_quantizers.c",
    "fakequant/ranges.c": "fakequant/test_range.c",
    "fakequant/uniform.c": "property/test_quantizers.c",
    "layers/token_layers.c": "layers/test_models.c",
    "integer/builder.c": "integer/test_model.c",
    "forms/product_onnx.c": "exchange/test_export_onnx.c",
    "integer/engine.c": "integer/test_run.c",
    "integer/reference.c": "integer/test_run.c",
    "kernels/code_avx2.c": "kernels/test_code.c",
    "kernels/code_avx512.c": "kernels/test_code.c",
    "kernels/code_scalar.c": "kernels/test_code.c",
    "kernels/conv_avx2.c": "kernels/test_conv.c",
    "kernels/conv_avx512.c": "kernels/test_conv.c",
    "kernels/conv_direct.c": "kernels/test_conv.c",
    "kernels/conv_direct_back.c": "kernels/test_conv_back.c",
    "kernels/conv_direct_fold.c": "kernels/test_conv.c",
    "kernels/conv_direct_wgrad.c": "kernels/test_conv.c",
    "kernels/conv_winograd.c": "kernels/test_conv.c",
    "autograd/weight_codes.c": "autograd/test_fuse.c",
    "kernels/conv_int_avx2.c": "kernels/test_conv_int.c",
    "kernels/conv_int_bytes.c": "kernels/test_conv_int.c",
    "kernels/conv_int_scalar.c": "kernels/test_conv_int.c",
    "kernels/conv_int_vnni.c": "kernels/test_conv_int.c",
    "kernels/conv_plan.c": "kernels/test_conv.c",
    "kernels/peak_avx2.c": "train/test_bench.c",
    "kernels/gemm_avx2.c": "kernels/test_gemm.c",
    "kernels/gemm_avx512.c": "kernels/test_gemm.c",
    "kernels/gemm_scalar.c": "kernels/test_gemm.c",
    "kernels/peak_avx512.c": "train/test_bench.c",
    "kernels/peak_scalar.c": "train/test_bench.c",
    "kernels/point_avx2.c": "kernels/test_point.c",
    "kernels/token_avx2.c": "kernels/test_token.c",
    "kernels/token_avx512.c": "kernels/test_token.c",
    "kernels/token_scalar.c": "kernels/test_token.c",
    "kernels/point_avx512.c": "kernels/test_point.c",
    "kernels/point_scalar.c": "kernels/test_point.c",
    "fakequant/start.c": "train/test_net.c",
    "recipes/rows.c": "recipes/test_recipe.c",
    "ptq/engine.c": "ptq/test_ptq.c",
    "ptq/latency.c": "ptq/test_allocate.c",
    "ptq/loss.c": "ptq/test_recon.c",
    "ptq/pnorm.c": "ptq/test_recon.c",
    "ptq/run.c": "ptq/test_ptq.c",
    "ptq/slope.c": "ptq/test_sensitivity.c",
    "train/quantize/from_file.c": "e2e/quantize_file.py",
    "train/quantize/report.c": "e2e/quantize.py",
    "train/quantize/words.c": "e2e/quantize.py",
    "train/quantize/pictures.c": "e2e/quantize.py",
    "train/quantize/sensitivity.c": "e2e/quantize.py",
    "ptq/sweep.c": "ptq/test_sensitivity.c",
    "ptq/tail.c": "ptq/test_recon.c",
    "ptq/train.c": "ptq/test_recon.c",
    "ptq/units.c": "ptq/test_ptq.c",
    "ptq/values.c": "ptq/test_recon.c",
    "ptq/weights.c": "ptq/test_ptq.c",
    "train/quantize/quantize.c": "e2e/quantize.py",
    "train/quantize/score.c": "e2e/quantize.py",
    "layers/layers.c": "layers/test_models.c",
    "layers/site.c": "layers/test_models.c",
    "recipes/dynamics.c": "recipes/test_recipe.c",
    "recipes/elsewhere.c": "e2e/bad_input.py",
    "recipes/phases.c": "recipes/test_recipe.c",
    "train/net/net_ranges.c": "train/test_hold.c",
    "train/run/events_sites.c": "e2e/tensorboard.py",
    "train/run/metrics_check.c": "train/test_metrics.c",
    "train/net/net_phase.c": "train/test_net.c",
    "train/bench/bench_data.c": "train/test_bench.c",
    "train/bench/bench_loader.c": "train/test_bench.c",
    "train/bench/bench_ops.c": "train/test_bench.c",
    "train/bench/bench_peak.c": "train/test_bench.c",
    "train/bench/bench_roof.c": "train/test_bench.c",
    "train/inspect/inspect.c": "train/test_checkpoint.c",
    "train/net/net_import.c": "train/test_net.c",
    "train/net/net_prepare.c": "train/test_net.c",
    "train/run/predict.c": "e2e/predict.py",
    "train/run/run.c": "e2e/resume.py",
    "train/run/run_phase.c": "e2e/resume.py",
    "train/run/run_prepare.c": "e2e/resume.py",
    "train/net/session.c": "train/test_evaluate.c",
}


# Headers that the build makes.
GENERATED = {"kernels/blas_library.h", "c99_texts.h", "event.pb-c.h", "view_scripts.h",
             "net.h", "onnx.pb-c.h", "runtime_scripts.h", "ptq_presets.h"}


def bare(text):
    """C without comments and strings, lines kept."""
    token = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return token.sub(lambda m: "\n" * m.group().count("\n") + '""', text)


def room(path):
    """The row of MAY that a file belongs to."""
    return max((f for f in MAY if path.startswith(f + "/")), key=len, default=path.split("/")[0])


def includes(root, path, text, wrong):
    folder = room(path)
    for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', text, re.M):
        target = room(name)
        if name in GENERATED:
            continue
        if not os.path.exists(os.path.join(root, name)):
            wrong.append(f'{path}: includes "{name}", which is no path from the root')
        elif folder in MAY and target != folder and not {target, name} & set(MAY[folder]):
            wrong.append(f"{path}: {folder}/ may not include {name}")
        own = os.path.basename(path).rsplit(".", 1)[0]
        other = re.search(r"/((?:quant|model|data|dynamic|transform|optim|schedule|import)_\w+)\.h$", name)
        if other and ROWS.search("/" + path) and other.group(1) != own:
            wrong.append(f"{path}: a row of a table may not include another row's {name}")


def words(path, text, wrong):
    folder, code = path.split("/")[0], bare(text)
    for pattern, allowed in (EXITS, {"cli"}), (MEMORY, {"core"}):
        if folder in FREE or folder in allowed:
            continue
        if pattern is MEMORY and path in MEMORY_OF_LIBRARIES:
            continue
        for m in pattern.finditer(code):
            wrong.append(f"{path}:{code.count(chr(10), 0, m.start()) + 1}: {m.group()}...)")


# What an operation is, its descriptor tells (dt_op), and what it is elsewhere its form: their names,
# descriptors and functions are compared nowhere but where tables are looked up.
TABLES = {"autograd/ops.c", "integer/forms.c"}
# `name` there is a word of another vocabulary, or only printed.
OTHER_WORDS = {("exchange/onnx/reader/op_function.c", '(how, "tanh"'),
               ("exchange/onnx/reader/op_resize.c", '(mode, "linear"'), ("train/bench/bench.c", "= b->plan.")}
COMPARES = r"(?:\bstr(?:n?case|n)?cmp|\bmemcmp|\bstrstr|\b\w*(?:equal|same)\w*)\s*\("
FACTS = [re.compile(p) for p in (
    COMPARES + r"[^;]*\b(?:op|form)(?:->|\.)(?:name|onnx|onnx_pair|ort|ort_rows)\b",
    r"\b(?:op|form)(?:->|\.)name\s*\[|\*\s*(?:\w+(?:->|\.))*(?:op|form)(?:->|\.)name\b",
    # Another name for it, under which it could be compared.
    r"=\s*(?:\w+(?:\[\w+\])?(?:->|\.))*(?:op|form)(?:->|\.)name\s*;",
    r"\bconst\s+dt_op\s*\*\s*(?:const\s+)?(?!op\b|const\b)\w+\s*[=;,)]",
    r"&\s*dt_op_\w+\b(?!\s*\()|\bdt_op_\w+\.name\b",
    r"[!=]=\s*(?:&\s*dt_form_|dt_op_find\b|dt_form_of\b)|\b(?:dt_op_find|dt_form_of)\s*\([^;{}]*?\)\s*[!=]=",
    r"(?:(?:->|\.)op\b|\bop)\s*[!=]=\s*(?:&|dt_op_)|(?:->|\.)op\s*[!=]=(?!\s*(?:NULL|DT_OX_\w+)\b)|"
    r"[!=]=\s*\w+(?:\[\w+\])?(?:->|\.)op\b(?!->|\.)",
    # What a descriptor points at, and the size of its configuration.
    r"\bop(?:->|\.)(?:infer|memory|forward|backward|macs|opts|examples|product|statistics|on_codes|limits|part|"
    r"finish_grad|remakes|grad_shares|grads_of|keeps_channels|onnx|onnx_pair|form)\s*[!=]=(?!\s*NULL\b)",
    r"\bop(?:->|\.)conf_size\s*[!=]=\s*sizeof",
    r"(?:[!=]=|\bcase)\s*DT_OP_(?!MAX_)[A-Z]|\bswitch\s*\([^)]*(?:\bop->|->op\b)",
    r"\bis_op\b|\bbool\s+\w+\s*\(\s*const\s+dt_(?:node|op)\s*\*\s*\w*\s*,\s*const\s+char\s*\*",
)]

# A name is for people, for files, and for making another node like this one.
NAME = re.compile(r"\b(?:op|form)(?:->|\.)name\b")
SAYS = {"dt_fail", "snprintf", "printf", "json_pack", "dt_graph_node", "dt_rewrite_put_as", "dt_onnx_out"}


def names_of_operations(root):
    """Those of the rows of ops.def."""
    with open(os.path.join(root, "autograd", "ops.def"), encoding="utf-8") as f:
        return sorted(set(re.findall(r"^DT_(?:OP|OP_IN|LOSS)\((\w+)", f.read(), re.M)))


def facts_of(names):
    """What compares with one of these names, and functions that are called after one."""
    stems = [*names, "conv", "norm", "pool", "dense", "attention"]
    return (re.compile(COMPARES + r'(?:[^;"]|"(?:\\.|[^"\\\n])*")*?"(?:' + "|".join(names) + ')"'),
            re.compile(r'\b\w+\s*\(\s*(?:node|n|op|\w+->(?:op|node))\s*,\s*"(?:' + "|".join(names) + ')"'),
            re.compile(r"\bis_(?:an?_)?(?:" + "|".join(stems) + r")(?:s|2d|_node|_op)?\s*\(\s*"
                       r"(?:const\s+dt_(?:node|op|graph)\b|\w+->op\b|node\b|n\b)"))


def goes_to(code, at):
    """The function whose argument begins here; "": it is the value of a field; None: neither."""
    depth = 0
    for i in range(at - 1, -1, -1):
        depth += (code[i] in ")]}") - (code[i] in "([{")
        if depth < 0 and code[i] == "(":
            return (re.search(r"(\w+)\s*$", code[:i]) or [None, None])[1]
        if depth < 0 and code[i] == "{" or depth == 0 and code[i] == ";":
            break
    return "" if re.search(r"[{,]\s*\.\w+ = (?:\w+(?:->|\.))*$", code[:at]) else None


def asks(text, by_name):
    """Places in C text that ask which operation a node is."""
    code = bare(text)
    with_words = re.sub(r"//[^\n]*|/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text, flags=re.S)
    for pattern in FACTS:
        yield from ((code, m) for m in pattern.finditer(code))
    for pattern in by_name[:2]:
        yield from ((with_words, m) for m in pattern.finditer(with_words))
    yield from ((code, m) for m in by_name[2].finditer(code))
    yield from ((code, m) for m in NAME.finditer(code) if goes_to(code, m.start()) not in {*SAYS, ""})


def facts(path, text, by_name, wrong):
    if path.split("/")[0] in FREE or path in TABLES:
        return
    for code, m in asks(text, by_name):
        line = code[code.rfind("\n", 0, m.start()) + 1:code.find("\n", m.end())]
        if any(path == p and words in line for p, words in OTHER_WORDS):
            continue
        if re.fullmatch(r"autograd/op_\w+\.c|forms/form_\w+\.c", path) and own(path, m.group()):
            continue
        wrong.append(f"{path}:{code.count(chr(10), 0, m.start()) + 1}: asks which operation it is "
                     f"({' '.join(m.group().split())[:60]}); facts are in dt_op")


def own(path, words):
    """A file may know the operation that it holds."""
    name = re.match(r"\w+/(?:op|form)_(\w+)\.c", path).group(1)
    return re.search(rf"\bdt_(?:op|form)_{name}\b|\"{name}\"", words)


# Each must be found, and none of the second kind: this file's own test.
ASKS = (
    'if (strcmp(node->op->name, "conv2d") == 0) x();', 'if (!strncmp(n->op->name, "conv", 4)) x();',
    'if (node->op == &dt_op_conv2d) x();', "if (&dt_op_relu != op) x();", "if (n->op == conv) x();",
    "if (a->op == b->op) x();", 'if (n->op == dt_op_find("relu")) x();',
    'if (dt_op_find("relu") == n->op) x();', "if (kind(op) == DT_OP_CONV2D) x();",
    "switch (node->op->kind) { }", "case DT_OP_RELU: break;", "if (op->forward == conv_forward) x();",
    "if (op->form != other) x();", "if (dt_form_of(op) == &dt_form_concat) x();",
    "if (form == &dt_form_add) x();", 'if (strcmp(m->form->name, "add") == 0) x();',
    "const char *name = node->op->name;", "if (node->op->name[0] == first) x();",
    "if (*node->op->name == first) x();", 'const char *a = f(n); if (strcmp(a, "batchnorm") == 0) x();',
    'if (strstr(word, "maxpool")) x();', "static bool is_relu(const dt_node *node) { }",
    "if (is_conv(n)) x();", "static bool is_batchnorm_node(const dt_graph *g, int v) { }",
    "static bool named(const dt_node *n, const char *name) { }", 'if (same_text(a, "gap")) x();',
    'if (is_called(n, "concat")) x();', 'if (dt_glob_match("relu*", n->op->name)) x();',
    "if (starts_with(n->op->name, prefix)) x();", "if (strlen(n->op->name) == 3) x();",
    "if (strchr(n->op->name, 'q')) x();", "if (n->op->conf_size == sizeof(dt_clip_conf)) x();",
    "if (n->op->examples == ex) x();", 'if (n->op->opts == dt_op_find("clip")->opts) x();',
    "switch (dt_hash(n->op->name)) { }", 'if (strcmp(n->op->onnx, "x Elu") == 0) x();',
    "const dt_op *o = n->op; if (o == wanted) x();",
    'static const dt_op *const wanted[] = { &dt_op_mul, NULL };')
FINE = (
    "if (n->op->product) x();", "if (!node->op->sum && dt_op_find(name)) x();", "n.op = dt_op_find(codes->op);",
    "int in[DT_OP_MAX_IN]; if (i == DT_OP_MAX_IN) x();", 'y = dt_graph_node(g, "conv2d", name, c, in, 2, &out, err);',
    'dt_fail(err, "%s", n->op->name);', "l = (layer){ .bits = 8, .op = node->op->name };",
    "dt_graph_node(to, node->op->name, node->name, node->conf, in, 1, out, err);", "if (op->opts != NULL) x();", "if (op->form == NULL) x();", "static bool is_layer(const dt_op *op) { }",
    'if (strcmp(name, "scales") == 0) x();', "return dt_form_of(node->op)->onnx(w, node);")


def facts_are_found(by_name, wrong):
    for text in ASKS:
        if not list(asks(text, by_name)):
            wrong.append(f"check_layers.py: does not see {text}")
    for text in FINE:
        if found := list(asks(text, by_name)):
            wrong.append(f"check_layers.py: takes {text} for a question ({found[0][1].group()})")


def layout(path, text, wrong):
    for i, line in enumerate(text.split("\n"), 1):
        if "\t" in line or line != line.rstrip():
            wrong.append(f"{path}:{i}: tab or blank at the end")
    if text and not text.endswith("\n"):
        wrong.append(f"{path}: no newline at the end")
    if path.endswith((".c", ".h", ".py")) and "SPDX-License-Identifier: Apache-2.0" not in text:
        wrong.append(f"{path}: no SPDX line")
    if path.endswith((".c", ".h")) and text.count("\n") > 600:
        wrong.append(f"{path}: {text.count(chr(10))} lines; 600 at most")


def run_by_meson(root, build):
    """Files of tests/ that a test of every day runs: scripts, and sources of its programs."""
    def read(name):
        with open(os.path.join(build, "meson-info", name), encoding="utf-8") as f:
            return json.load(f)

    sources = {}
    for target in read("intro-targets.json"):
        listed = [s for part in target["target_sources"] for s in part.get("sources", [])]
        for path in target["filename"]:
            sources[os.path.realpath(path)] = listed
    run = set()
    for test in read("intro-tests.json"):
        if any(suite.split(":")[-1] == "long" for suite in test["suite"]):
            continue
        for word in test["cmd"]:
            path = os.path.realpath(os.path.join(build, word))
            run.update(sources.get(path, [path]))
    tests = os.path.join(os.path.realpath(root), "tests")
    return {os.path.relpath(os.path.realpath(p), tests) for p in run}


def tested(run, path, wrong):
    folder, name = path.split("/")[0], os.path.basename(path)
    test = PARTS.get(path, f"{folder}/test_{name}")
    if folder in MAY and folder != "cli" and path.endswith(".c") and not ROWS.search(path):
        if test not in run:
            wrong.append(f"{path}: no test runs tests/{test}")


def parts_are_there(root, run, wrong):
    for path, test in PARTS.items():
        if not os.path.exists(os.path.join(root, path)):
            wrong.append(f"PARTS: there is no {path}")
    for at, _, names in os.walk(os.path.join(root, "tests")):
        for name in names:
            path = os.path.relpath(os.path.join(at, name), os.path.join(root, "tests"))
            if re.fullmatch(r"test_\w+\.c", name) and path not in run:
                wrong.append(f"tests/{path}: no test runs it")


def order_of_folders(wrong):
    """No cycles among whole folders; single headers are interfaces that are handed down."""
    done = []
    while len(done) < len(MAY):
        ready = [f for f in MAY if f not in done and
                 all(x in done for x in MAY[f] if not x.endswith(".h"))]
        if not ready:
            wrong.append(f"a cycle among {sorted(set(MAY) - set(done))}")
            return
        done += ready


def folders_have_rows(root, wrong):
    """Folders of sources are those of the table."""
    for name in sorted(os.listdir(root)):
        at = os.path.join(root, name)
        if name in FREE or name in MAY or not os.path.isfile(os.path.join(at, "meson.build")):
            continue
        if any(n.endswith(".c") for _, _, names in os.walk(at) for n in names):
            wrong.append(f"{name}/: has no row in docs/architecture.md")
    for folder in MAY:
        if not os.path.isdir(os.path.join(root, folder)):
            wrong.append(f"docs/architecture.md: there is no {folder}/")
        for other in MAY[folder]:
            if other not in MAY and not os.path.isfile(os.path.join(root, other)):
                wrong.append(f"docs/architecture.md: {folder}/ may include {other}, which is not there")


def main(root, build):
    wrong, count = [], 0
    run = run_by_meson(root, build)
    by_name = facts_of(names_of_operations(root))
    facts_are_found(by_name, wrong)
    order_of_folders(wrong)
    folders_have_rows(root, wrong)
    parts_are_there(root, run, wrong)
    for folder in [*(f for f in MAY if "/" not in f), *FREE]:
        for at, folders, names in os.walk(os.path.join(root, folder)):
            folders[:] = [f for f in folders if f not in ("corpus", "golden", "__pycache__")]
            for name in names:
                if not name.endswith((".c", ".h", ".py", ".def", ".build", ".md")):
                    continue
                path = os.path.relpath(os.path.join(at, name), root)
                with open(os.path.join(root, path), encoding="utf-8") as f:
                    text = f.read()
                count += 1
                layout(path, text, wrong)
                if name.endswith((".c", ".h")):
                    includes(root, path, text, wrong)
                    words(path, text, wrong)
                    facts(path, text, by_name, wrong)
                tested(run, path, wrong)
    print("\n".join(wrong))
    print(f"{count} files, {len(wrong)} findings")
    return 1 if wrong or count < 100 or len(MAY) < 10 else 0


sys.exit(main(*sys.argv[1:]))
