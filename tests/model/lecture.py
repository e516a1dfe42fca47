"""The lecture's formulas written out (L2, L4, L5, L8): one picture, NumPy in float64, loops for sums.

Parameters come in by name as a state dict holds them, so nothing here calls the library.
"""

import math

import numpy as np
from numpy.typing import NDArray
from torch import nn

Array = NDArray[np.float64]
Weights = dict[str, Array]


def weights_of(module: nn.Module) -> Weights:
    return {name: values.detach().double().numpy() for name, values in module.state_dict().items()}


def under(weights: Weights, place: str) -> Weights:
    """What is stored below a name."""
    return {name.removeprefix(place): w for name, w in weights.items() if name.startswith(place)}


def linear(z: Array, weights: Weights, name: str) -> Array:
    return z @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def norm(z: Array, weights: Weights, name: str) -> Array:
    """LN: every token on its own, ε = 1e-6."""
    rows = []
    for token in z:
        mean = sum(token) / len(token)
        variance = sum((value - mean) ** 2 for value in token) / len(token)
        rows.append((token - mean) / math.sqrt(variance + 1e-6))
    return np.array(rows) * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def gelu(z: Array) -> Array:
    return z * 0.5 * (1 + np.vectorize(math.erf)(z / math.sqrt(2)))


def patch_vectors(picture: Array, patch: tuple[int, int]) -> Array:
    """x_i, row by row, and x_ij = [r, g, b]ᵀ within it (L1, L2); picture (c, H, W)."""
    channels, height, width = picture.shape
    vectors = []
    for top in range(0, height, patch[0]):
        for left in range(0, width, patch[1]):
            x: list[float] = []
            for row in range(top, top + patch[0]):
                for col in range(left, left + patch[1]):
                    x += [picture[channel, row, col] for channel in range(channels)]
            vectors.append(x)
    return np.array(vectors)


def embed(picture: Array, weights: Weights, patch: tuple[int, int], shown: list[int]) -> Array:
    """z^(0): z_i = x_iᵀE + r_i of the patches shown, the class token first (L4)."""
    vectors, positions = patch_vectors(picture, patch), weights["positions"]
    z = [weights["class_token"] + positions[0]]
    z += [linear(vectors[i], weights, "patches.project") + positions[1 + i] for i in shown]
    return np.array(z)


def attention_weights(z: Array, weights: Weights, heads: int) -> Array:
    """a_ij = softmax_j(q_iᵀk_j / √D_k), (heads, n, n) (L5 ① ②)."""
    n, d = z.shape
    e = d // heads
    q, k, _ = np.split(linear(z, weights, "qkv"), 3, axis=1)
    a = np.zeros((heads, n, n))
    for head in range(heads):
        own = slice(head * e, (head + 1) * e)
        for i in range(n):
            powers = [math.exp(q[i, own] @ k[j, own] / math.sqrt(e)) for j in range(n)]
            a[head, i] = np.array(powers) / sum(powers)
    return a


def attention(z: Array, weights: Weights, heads: int) -> Array:
    """z̃_iᵀ = [h_i(1)ᵀ … h_i(H)ᵀ] W_o, h_i = Σ_j a_ij v_j (L5 ③ ④)."""
    n, d = z.shape
    e = d // heads
    v = np.split(linear(z, weights, "qkv"), 3, axis=1)[2]
    a = attention_weights(z, weights, heads)
    rows = [
        np.concatenate([sum(a[h, i, j] * v[j, h * e : (h + 1) * e] for j in range(n)) for h in range(heads)])
        for i in range(n)
    ]
    return linear(np.array(rows), weights, "out")


def layer(z: Array, weights: Weights, heads: int) -> Array:
    """z' = z̃ + z, then MLP(LN(z')) + z' (L5 ⑤ ⑥); attention reads LN(z), as L4 ⑥ has it."""
    z = attention(norm(z, weights, "norm1"), under(weights, "attention."), heads) + z
    inner = gelu(linear(norm(z, weights, "norm2"), weights, "mlp.up"))
    return linear(inner, weights, "mlp.down") + z


def layers(z: Array, weights: Weights, heads: int, depth: int) -> Array:
    for number in range(depth):
        z = layer(z, under(weights, f"layers.{number}."), heads)
    return z


def loss(guesses: Array, vectors: Array, hidden: list[int], *, normalised: bool) -> float:
    """Squared error over a hidden patch's values, its mean, and the mean of those (L8, MAE Sec. 3)."""
    errors = []
    for i in hidden:
        x = vectors[i]
        if normalised:
            mean = sum(x) / len(x)
            variance = sum((value - mean) ** 2 for value in x) / (len(x) - 1)
            x = (x - mean) / math.sqrt(variance + 1e-6)
        errors.append(sum((guesses[i] - x) ** 2) / len(x))
    return sum(errors) / len(errors)
