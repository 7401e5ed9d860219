"""The network of section 2.3 for the fast engine: forward, gradient and Adam, written by hand."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.core import types
from numba.extending import intrinsic

from .fast_corruption import GENES_PER_ROUND
from .fast_weights import Float32, Weights
from .rows import LANES, add_to_rows, add_weighted_rows, aligned_zeros, dot, inlined, jit, matmul

LAYER_NORM_EPSILON = np.float32(1e-5)


class Layer(NamedTuple):
    """One block's values for a mini-batch, (batch, width): z of Linear, normalised; output a.

    `da` and `dz` are the loss's derivatives by them; `rsd` is 1 / sd(z), (batch,).
    """

    width: int
    z: Float32
    rsd: Float32
    a: Float32
    da: Float32
    dz: Float32

    @classmethod
    def zeros(cls, batch_size: int, width: int, padded: int) -> Layer:
        """Allocate."""
        z, a, da, dz = aligned_zeros(4, batch_size, padded)
        return cls(width, z, np.zeros(batch_size, dtype=np.float32), a, da, dz)


class Activations(NamedTuple):
    """The three blocks, and what is at hand in passing.

    `minus_one` is −1 for every gene, (1, genes); `base` what the first layer, or its gradient,
    starts from on account of it, (1, hidden). `zero` is wide enough for every row. `w2t` and `w3t`
    are `w2` and `w3` transposed, `a3t` and `da3t` the last block's `a` and `da`, (hidden, batch).
    For γ > 0, `s_hat` is (genes, batch), first ŝ, without its bias, and then the loss's derivative
    by it. Batch is padded to `LANES` in the last three.
    """

    one: Layer
    two: Layer
    three: Layer
    minus_one: Float32
    base: Float32
    zero: Float32
    w2t: Float32
    w3t: Float32
    a3t: Float32
    da3t: Float32
    s_hat: Float32

    @classmethod
    def zeros(cls, weights: Weights, hidden: int, bottleneck: int, batch_size: int) -> Activations:
        """Allocate."""
        n_genes, h = weights.w1.shape
        d = weights.w2.shape[1]
        columns = -(-batch_size // LANES) * LANES
        return cls(
            one=Layer.zeros(batch_size, hidden, h),
            two=Layer.zeros(batch_size, bottleneck, d),
            three=Layer.zeros(batch_size, hidden, h),
            minus_one=np.full((1, n_genes), -1, np.float32),
            base=aligned_zeros(1, h),
            zero=aligned_zeros(max(h, d, columns)),
            w2t=aligned_zeros(d, h),
            w3t=aligned_zeros(h, d),
            a3t=aligned_zeros(h, columns),
            da3t=aligned_zeros(h, columns),
            s_hat=aligned_zeros(n_genes, columns),
        )


@jit
def forward(weights: Any, batch: Any, act: Any, n: int) -> None:
    """Run the first `n` cells of `batch` through the blocks, up to the last block's output."""
    one, two, three = act.one, act.two, act.three
    # s̃ = d − 1: the −1 of every gene is one vector for all cells.
    matmul(1, weights.w1.shape[0], act.minus_one, weights.w1, weights.b1, act.base)
    for i in range(n):
        _fill_row(one.z, i, act.base[0])
    n_rounds = batch.first.shape[1] - 1
    for t in range(n_rounds + 1):
        for i in range(n):
            last = batch.first[i, t + 1] if t < n_rounds else batch.n[i]
            add_weighted_rows(
                batch.d, batch.genes, i, batch.first[i, t], last, weights.w1, one.z, i
            )
    _activate(one, weights.g1, weights.c1, n)
    matmul(n, one.a.shape[1], one.a, weights.w2, weights.b2, two.z)
    _activate(two, weights.g2, weights.c2, n)
    matmul(n, two.a.shape[1], two.a, weights.w3, weights.b3, three.z)
    _activate(three, weights.g3, weights.c3, n)


@jit
def masked_output(
    weights: Any, grads: Any, batch: Any, act: Any, n: int, total_weight: float
) -> float:
    """Return L_mask; leave the last layer's gradients and the last block's `da`.

    Only masked outputs count, about a tenth of all, so no other is computed.
    """
    three, loss, scale = act.three, 0.0, 1 / max(total_weight, 1.0)
    n_genes, factor = weights.w4.shape[0], np.float32(2 * scale)
    for i in range(n):
        batch.done[i] = 0
        _fill_row(three.da, i, act.zero)
    for begin in range(0, n_genes, GENES_PER_ROUND):
        end = min(begin + GENES_PER_ROUND, n_genes)
        for gene in range(begin, end):
            grads.b4[gene] = 0
            _fill_row(grads.w4, gene, act.zero)
        for i in range(n):
            first = e = batch.done[i]
            # Masked zeros end the row in no order, so the last round takes them all.
            while e < batch.n_masked[i] and (end == n_genes or batch.masked_genes[i, e] < end):
                gene = batch.masked_genes[i, e]
                r = dot(three.a, i, weights.w4, gene) + weights.b4[gene] - batch.target[i, e]
                weighted = batch.weight[i, e] * r
                loss += weighted * r
                batch.gradient[i, e] = factor * weighted
                grads.b4[gene] += factor * weighted
                e += 1
            batch.done[i] = e
            masked = batch.masked_genes
            add_weighted_rows(batch.gradient, masked, i, first, e, weights.w4, three.da, i)
            add_to_rows(batch.gradient, masked, i, first, e, three.a, i, grads.w4)
    return loss * scale


@jit
def full_output(
    weights: Any, grads: Any, scaled: Any, cells: Any, batch: Any, act: Any, total_weight: float,
    gamma: float,
) -> float:  # fmt: skip
    """Return L_mask + γ L_bio; leave the last layer's gradients and the last block's `da`."""
    three, n, n_genes = act.three, cells.size, weights.w4.shape[0]
    hidden, columns = act.a3t.shape
    total_p_bio, mask_loss, bio_loss = 0.0, 0.0, 0.0
    _transpose(three.a, act.a3t, n)
    matmul(n_genes, hidden, weights.w4, act.a3t, act.zero, act.s_hat)
    for i in range(n):
        total_p_bio += scaled.p_bio_sum[cells[i]]
    scale = 1 / max(total_weight, 1.0)
    bio_scale = gamma / max(total_p_bio, 1.0)
    factor, bio_factor = np.float32(2 * scale), np.float32(2 * bio_scale)
    for i in range(n):
        for e in range(batch.n_masked[i]):
            gene = batch.masked_genes[i, e]
            r = act.s_hat[gene, i] + weights.b4[gene] - batch.target[i, e]
            weighted = batch.weight[i, e] * r
            mask_loss += weighted * r
            batch.gradient[i, e] = factor * weighted
    for gene in range(n_genes):
        gene_loss, offset = np.float32(0), weights.b4[gene] - scaled.s0[gene]
        for i in range(n):
            r = act.s_hat[gene, i] + offset
            p_r = scaled.p_bio[cells[i], gene] * r
            gene_loss += p_r * r
            act.s_hat[gene, i] = bio_factor * p_r
        for i in range(n, columns):
            act.s_hat[gene, i] = 0
        bio_loss += gene_loss
    for i in range(n):
        for e in range(batch.n_masked[i]):
            act.s_hat[batch.masked_genes[i, e], i] += batch.gradient[i, e]
    matmul(hidden, n_genes, weights.w4.T, act.s_hat, act.zero, act.da3t)
    _transpose(act.da3t, three.da, hidden)
    matmul(n_genes, n, act.s_hat, three.a, act.zero, grads.w4)
    for gene in range(n_genes):
        total = np.float32(0)
        for i in range(n):
            total += act.s_hat[gene, i]
        grads.b4[gene] = total
    return mask_loss * scale + bio_loss * bio_scale


@jit
def backward(weights: Any, grads: Any, batch: Any, act: Any, n: int) -> None:
    """Take the derivatives from the last block's `da` back to every weight but the last layer's."""
    one, two, three = act.one, act.two, act.three
    hidden, bottleneck = weights.w2.shape
    _activate_gradient(three, weights.g3, weights.c3, grads.g3, grads.c3, grads.b3, n)
    matmul(bottleneck, n, two.a.T, three.dz, act.zero, grads.w3)
    _transpose(weights.w3, act.w3t, bottleneck)
    matmul(n, hidden, three.dz, act.w3t, act.zero, two.da)
    _activate_gradient(two, weights.g2, weights.c2, grads.g2, grads.c2, grads.b2, n)
    matmul(hidden, n, one.a.T, two.dz, act.zero, grads.w2)
    _transpose(weights.w2, act.w2t, hidden)
    matmul(n, bottleneck, two.dz, act.w2t, act.zero, one.da)
    _activate_gradient(one, weights.g1, weights.c1, grads.g1, grads.c1, grads.b1, n)
    for k in range(hidden):
        act.base[0, k] = -grads.b1[k]
    n_genes, n_rounds = weights.w1.shape[0], batch.first.shape[1] - 1
    for t in range(n_rounds + 1):
        for gene in range(t * GENES_PER_ROUND, min((t + 1) * GENES_PER_ROUND, n_genes)):
            _fill_row(grads.w1, gene, act.base[0])
        for i in range(n):
            last = batch.first[i, t + 1] if t < n_rounds else batch.n[i]
            add_to_rows(batch.d, batch.genes, i, batch.first[i, t], last, one.dz, i, grads.w1)


@jit
def adam(weights: Any, grads: Any, m: Any, v: Any, step: int, learning_rate: float) -> None:
    """Take Adam's step number `step`, from 1 (β₁ 0.9, β₂ 0.999, ε 1e-8)."""
    w, g = weights.flat, grads.flat
    beta1, beta2 = np.float32(0.9), np.float32(0.999)
    rest1, rest2 = np.float32(0.1), np.float32(0.001)
    rate = np.float32(learning_rate / (1 - 0.9**step))
    root = np.float32(1 / np.sqrt(1 - 0.999**step))
    for k in range(w.size):
        m[k] = beta1 * m[k] + rest1 * g[k]
        v[k] = beta2 * v[k] + rest2 * g[k] * g[k]
        w[k] -= rate * m[k] / (np.sqrt(v[k]) * root + np.float32(1e-8))


@inlined
def _fill_row(matrix: Any, i: int, values: Any) -> None:
    for k in range(matrix.shape[1]):
        matrix[i, k] = values[k]


@jit
def _transpose(source: Any, target: Any, n: int) -> None:
    """target[:, :n] = source[:n].T, as far as `target` reaches."""
    for k in range(target.shape[0]):
        for i in range(n):
            target[k, i] = source[i, k]


@jit
def _activate(layer: Any, gain: Any, shift: Any, n: int) -> None:
    """A = SiLU(LayerNorm(z)); z becomes its normalised self."""
    width = np.float32(layer.width)
    for i in range(n):
        z, a = layer.z[i], layer.a[i]
        total = np.float32(0)
        for k in range(layer.width):
            total += z[k]
        mean, squares = total / width, np.float32(0)
        for k in range(layer.width):
            squares += (z[k] - mean) * (z[k] - mean)
        rsd = 1 / np.sqrt(squares / width + LAYER_NORM_EPSILON)
        layer.rsd[i] = rsd
        for k in range(layer.width):
            z[k] = (z[k] - mean) * rsd
            y = gain[k] * z[k] + shift[k]
            a[k] = y * _sigmoid(y)


@jit
def _activate_gradient(
    layer: Any, gain: Any, shift: Any, d_gain: Any, d_shift: Any, d_bias: Any, n: int
) -> None:
    """Derivatives by z, and by gain, shift and the linear layer's bias, from those by a."""
    width = np.float32(layer.width)
    for k in range(d_gain.size):
        d_gain[k] = d_shift[k] = d_bias[k] = 0
    for i in range(n):
        z, da, dz = layer.z[i], layer.da[i], layer.dz[i]
        total, product = np.float32(0), np.float32(0)
        for k in range(layer.width):
            y = gain[k] * z[k] + shift[k]
            sigmoid = _sigmoid(y)
            dy = da[k] * sigmoid * (1 + y * (1 - sigmoid))
            d_gain[k] += dy * z[k]
            d_shift[k] += dy
            dz[k] = dy * gain[k]
            total += dz[k]
            product += dz[k] * z[k]
        total, product = total / width, product / width
        for k in range(layer.width):
            dz[k] = layer.rsd[i] * (dz[k] - total - z[k] * product)
            d_bias[k] += dz[k]


@inlined
def _sigmoid(y: Any) -> Any:
    """1 / (1 + exp(−y)) to float32 precision, in arithmetic that runs in vectors."""
    t = min(max(-y, np.float32(-80)), np.float32(80)) * np.float32(1.4426950408889634)
    whole = np.rint(t)
    u = (t - whole) * np.float32(0.6931471805599453)
    # exp(u) by its Taylor series; |u| ≤ ln(2) / 2, where the seventh term is below 2e-7 / 2.
    p = np.float32(1 / 720)
    for c in (1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0, 1.0):
        p = p * u + np.float32(c)
    return 1 / (1 + p * _power_of_two(np.int32(whole)))


@intrinsic  # type: ignore[untyped-decorator]
def _power_of_two(typing: Any, exponent: Any) -> Any:
    """2 ** exponent as float32, by its bits; exponent is int32 from −126 to 127."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        biased = builder.add(arguments[0], arguments[0].type(127))
        bits = builder.shl(biased, arguments[0].type(23))
        return builder.bitcast(bits, context.get_value_type(types.float32))

    return types.float32(types.int32), codegen
