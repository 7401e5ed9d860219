"""SAVER: each entry a weighted average of its count and what the other genes predict."""

from __future__ import annotations

from dataclasses import dataclass

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter

__all__ = ["Saver"]


@dataclass(frozen=True)
class Saver(Imputer):
    """Posterior mean under a gamma prior around a Poisson lasso prediction (Huang et al. 2018).

    Follows SAVER 1.1.3 and R's random numbers: with seed s, genes come in the order and cells in
    the folds that the original has after ``set.seed(s)``. Size factors are library size / mean
    library size, whatever `Observed.size_factors` says; estimate and standard deviation are
    rounded up to three decimals on that scale, as the original's, then multiplied by the size
    factor, which makes them counts in the cell's own library size.

    The original drops cells without counts; here they come back as zeros. Genes without counts
    are zeros too. With fewer than five cells, or two predictor genes, every gene is predicted by
    its mean.
    """

    name = "saver"
    summary = "Shrinks counts towards a Poisson lasso prediction from the other genes"
    citation = (
        "Huang et al. (2018), SAVER: gene expression recovery for single-cell RNA sequencing, "
        "Nature Methods 15:539-542"
    )
    version = "1"
    input_scale = "counts"
    gives = ("expression", "std")
    stochastic = True
    packages = ("numba",)

    do_fast: bool = parameter(
        True, "Cross-validate some 200 genes only and derive λ of the others from them."
    )
    null_model: bool = parameter(False, "Predict every gene by its mean, without regressions.")

    def prepare(self, context: Context) -> None:
        """Compile, which takes half a minute the first time."""
        from .method import compile_kernels

        compile_kernels()

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Predict gene by gene, then weigh prediction against count."""
        from .method import impute

        return impute(observed, context, self.do_fast, self.null_model)


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer SAVER."""
    return [Saver]
