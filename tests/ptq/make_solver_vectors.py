# SPDX-License-Identifier: Apache-2.0
"""Solvers of ptq/ in numpy on layers of random numbers, as vectors for test_solve.c.

usage: make_solver_vectors.py > solver_vectors.h
"""
import numpy as np

O, K, ROWS, LAYERS, DAMPING = 3, 10, 24, 3, 0.01
LOW, HIGH = -7, 7


def nearest(w, scale):
    return np.rint(np.clip(w / scale, LOW, HIGH)) * scale


def damped(H):
    return H + DAMPING * np.mean(np.diag(H)) * np.eye(len(H))


def gptq(W, H, scale):
    """Frantar 2022 (arXiv:2210.17323), columns by falling diagonal."""
    order = np.argsort(-np.diag(H), kind="stable")
    inverse = np.linalg.inv(damped(H)[np.ix_(order, order)])
    U = np.linalg.cholesky(inverse).T
    w, q = W[:, order].copy(), np.zeros_like(W)
    for j in range(K):
        q[:, order[j]] = nearest(w[:, j], scale[:, 0])
        w[:, j:] -= np.outer((w[:, j] - q[:, order[j]]) / U[j, j], U[j, j:])
    return q


def quantease(W, H, scale, start, sweeps):
    """Behdin 2023 (arXiv:2309.01885), its equation for one coordinate, no running sums."""
    w, coded = start.copy(), start is not W
    for sweep in range(sweeps):
        rounds = coded or sweep % 3 != 1 or sweep == sweeps - 1
        for j in range(K):
            others = np.arange(K) != j
            best = W[:, j] + (W - w)[:, others] @ H[others, j] / H[j, j]
            w[:, j] = nearest(best, scale[:, 0]) if rounds else best
    return w


def ridge(W, H, C):
    return np.linalg.solve(damped(H).T, (W @ C).T).T


def layer(rng):
    x = rng.normal(size=(ROWS, 1)) + 0.6 * rng.normal(size=(ROWS, K)) * rng.uniform(0.3, 2, K)
    read = np.rint(x / 0.25) * 0.25
    W, scale = 0.8 * rng.normal(size=(O, K)), rng.uniform(0.2, 0.35, size=(O, 1))
    H, C = read.T @ read, x.T @ read
    first = gptq(W, H, scale)
    return {"scale": scale, "H": H, "C": C, "W": W, "nearest": nearest(W, scale), "gptq": first,
            "behind": quantease(W, H, scale, first, 4), "quantease": quantease(W, H, scale, W, 20),
            "ridge": ridge(W, H, C)}


def main():
    rng = np.random.default_rng(5)
    layers = [layer(rng) for _ in range(LAYERS)]
    print("/* Made by make_solver_vectors.py with numpy: solutions of random layers. */\n"
          "/* SPDX-License-Identifier: Apache-2.0 */\n\n"
          f"enum {{ VECTORS = {LAYERS}, VECTOR_O = {O}, VECTOR_K = {K}, VECTOR_HIGH = {HIGH} }};\n"
          f"#define VECTOR_DAMPING {DAMPING}\n\n"
          "static const struct {\n    double scale[VECTOR_O];\n    double H[VECTOR_K * VECTOR_K], "
          "C[VECTOR_K * VECTOR_K];\n    double W[VECTOR_O * VECTOR_K], nearest[VECTOR_O * VECTOR_K], "
          "gptq[VECTOR_O * VECTOR_K],\n        behind[VECTOR_O * VECTOR_K], quantease[VECTOR_O * VECTOR_K], "
          "ridge[VECTOR_O * VECTOR_K];\n} vectors[VECTORS] = {")
    for each in layers:
        print("    {")
        for name, values in each.items():
            numbers = [f"{v:.17g}" for v in values.ravel()]
            print(f"        .{name} = {{")
            for i in range(0, len(numbers), 4):
                print("            " + ", ".join(numbers[i:i + 4]) + ",")
            print("        },")
        print("    },")
    print("};")


if __name__ == "__main__":
    main()
