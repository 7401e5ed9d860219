import shutil
import subprocess
from pathlib import Path

import anndata
import numpy as np
import pytest
from impbench_plugins.saver import lasso
from impbench_plugins.saver.passes import Predictors, moments
from impbench_plugins.saver.prediction import N_FOLDS, N_STEPS, cross_validated
from impbench_plugins.shared.r_random import folds

DATA = Path(__file__).parents[2] / "data"
# What run_glmnet returned with glmnet 4.1-6 under R 4.2.2; run this file to make it again.
GLMNET_OUTPUT = DATA / "saver" / "glmnet.npz"
GENES = (5, 120)

# One line per λ: λ, intercept, coefficients, cross-validated deviance and its standard error.
GLMNET = """
suppressMessages(library(glmnet))
args <- commandArgs(trailingOnly = TRUE)
x <- as.matrix(read.csv(args[1], header = FALSE))
y <- read.csv(args[2], header = FALSE)[[1]]
fold <- read.csv(args[3], header = FALSE)[[1]]
cv <- cv.glmnet(x, y, family = "poisson", dfmax = 300, foldid = fold)
fit <- cv$glmnet.fit
out <- cbind(fit$lambda, fit$a0, t(as.matrix(fit$beta)), cv$cvm, cv$cvsd)
write.table(format(out, digits = 17), args[4], sep = ",", quote = FALSE,
            row.names = FALSE, col.names = FALSE)
"""


class Problem:
    """A gene of small_rare and all others, as SAVER poses it."""

    def __init__(self, gene):
        counts = np.asarray(anndata.read_h5ad(DATA / "inputs" / "small_rare.h5ad").X.toarray())
        counts = counts.astype(np.float64)
        size_factors = counts.sum(axis=1) / counts.sum(axis=1).mean()
        genes = np.flatnonzero(counts.mean(axis=0) >= 0.1)
        self.predictors = Predictors.of(
            np.ascontiguousarray(np.log((counts + 1) / size_factors[:, None])[:, genes].T)
        )
        self.y = counts[:, gene] / size_factors
        self.own = int(np.flatnonzero(genes == gene)[0])
        self.everything = np.ones(len(counts), dtype=bool)
        self.fold = folds(1, len(counts), N_FOLDS)

    def path(self):
        """Return λ, intercepts and coefficients of the whole path, the gene itself left out."""
        fit = lasso.start(
            self.predictors, self.predictors.over_all, self.y, self.everything, self.own, N_STEPS
        )
        largest = fit.number[lasso.PENALTY]
        penalties, intercepts, coefficients = [largest], [fit.number[lasso.INTERCEPT]], []
        coefficients.append(np.zeros(len(self.predictors.values)))
        status = lasso.ADVANCED
        while status == lasso.ADVANCED and len(penalties) < N_STEPS:
            penalties.append(largest * 0.01 ** (len(penalties) / (N_STEPS - 1)))
            status = lasso.advance(fit, penalties[-1], 300)
            coefficient = fit.coefficient / fit.spread
            coefficients.append(coefficient)
            intercepts.append(fit.number[lasso.INTERCEPT] - coefficient @ fit.centre)
        return np.array(penalties), np.array(intercepts), np.delete(coefficients, self.own, axis=1)

    def objective(self, penalty, intercept, coefficients):
        """Return mean Poisson loss + λ Σ sd |coefficient|."""
        others = np.delete(self.predictors.values, self.own, axis=0)
        eta = intercept + coefficients @ others
        loss = np.mean(np.exp(eta) - self.y * eta)
        return loss + penalty * np.abs(coefficients * others.std(axis=1)).sum()


def run_glmnet(problem, folder):
    if shutil.which("Rscript") is None:
        pytest.skip("Rscript is not installed")
    arrays = (
        np.delete(problem.predictors.values, problem.own, axis=0).T,
        problem.y,
        problem.fold + 1,
    )
    names = [str(folder / name) for name in ("x.csv", "y.csv", "fold.csv", "out.csv")]
    for name, array in zip(names, arrays, strict=False):
        np.savetxt(name, array, delimiter=",", fmt="%.17g")
    done = subprocess.run(["Rscript", "-e", GLMNET, *names], capture_output=True, text=True)
    if "there is no package" in done.stderr:
        pytest.skip("R's glmnet is not installed")
    assert done.returncode == 0, done.stderr
    return np.loadtxt(names[3], delimiter=",")


@pytest.fixture(scope="module", params=["stored", pytest.param("live", marks=pytest.mark.r)])
def glmnet(request, problem, tmp_path_factory):
    gene, posed = problem
    if request.param == "live":
        return run_glmnet(posed, tmp_path_factory.mktemp("glmnet"))
    return np.load(GLMNET_OUTPUT)[f"gene_{gene}"]


@pytest.fixture(scope="module", params=GENES)
def problem(request):
    return request.param, Problem(request.param)


@pytest.mark.slow
def test_path_equals_glmnets(problem, glmnet):
    penalties, intercepts, coefficients = problem[1].path()
    np.testing.assert_allclose(penalties, glmnet[:, 0], rtol=1e-12)
    np.testing.assert_allclose(intercepts, glmnet[:, 1], atol=1e-9)
    np.testing.assert_allclose(coefficients, glmnet[:, 2:-2], atol=1e-9)


def test_objective_is_no_worse_than_glmnets(problem, glmnet):
    posed = problem[1]
    for ours, theirs in zip(zip(*posed.path(), strict=True), glmnet, strict=True):
        best = posed.objective(theirs[0], theirs[1], theirs[2:-2])
        assert posed.objective(*ours) <= best + 1e-12 * abs(best)


def test_chosen_penalty_and_its_gain_equal_cv_glmnets(problem, glmnet):
    posed = problem[1]
    prediction = cross_validated(posed.predictors, posed.y, posed.fold, posed.own)
    deviance, error = glmnet[:, -2], glmnet[:, -1]
    best = int(np.argmin(deviance))
    assert best > 0
    assert prediction.chosen == pytest.approx(glmnet[best, 0], rel=1e-12)
    assert prediction.gain == pytest.approx((deviance[0] - deviance[best]) / error[best], rel=1e-8)
    others = np.delete(posed.predictors.values, posed.own, axis=0)
    eta = glmnet[best, 1] + glmnet[best, 2:-2] @ others
    np.testing.assert_allclose(prediction.mean, np.exp(eta), rtol=1e-8)


def test_path_meets_the_optimality_conditions(problem):
    posed = problem[1]
    others = np.delete(posed.predictors.values, posed.own, axis=0)
    standardised = (others - others.mean(axis=1, keepdims=True)) / others.std(axis=1, keepdims=True)
    null = -np.mean(posed.y * np.log(posed.y.mean())) + posed.y.mean()
    for penalty, intercept, coefficients in zip(*posed.path(), strict=True):
        residual = posed.y - np.exp(intercept + coefficients @ others)
        gradient = standardised @ residual / len(residual)
        # glmnet's tolerance is on the objective; a gradient is off by about its root.
        slack = 3e-3 * np.sqrt(abs(null))
        assert abs(residual.mean()) < slack
        assert np.abs(gradient).max() <= penalty + slack
        used = coefficients != 0
        np.testing.assert_allclose(
            gradient[used], penalty * np.sign(coefficients[used]), atol=slack
        )


def test_cell_that_weighs_nothing_leaves_the_solution_alone():
    random = np.random.default_rng(1)
    predictors = random.normal(size=(6, 40))
    y = random.poisson(np.exp(0.5 * predictors[0])).astype(float)
    used = np.arange(40) < 30
    solutions = []
    for extreme in (0.0, 50.0):
        y[~used], predictors[:, ~used] = extreme, extreme
        fit = lasso.start(Predictors.of(predictors), moments(predictors, used), y, used, -1, 2)
        lasso.advance(fit, 0.3 * fit.number[lasso.PENALTY], 300)
        solutions.append(fit.coefficient.copy())
    assert np.count_nonzero(solutions[0])
    np.testing.assert_allclose(solutions[0], solutions[1], rtol=1e-12)


@pytest.mark.parametrize("bound", [0.1, 0.3, 0.6])
def test_let_in_are_exactly_those_above_the_bound(problem, bound):
    posed = problem[1]
    predictors, held_out = posed.predictors, posed.fold == 0
    over_used = moments(predictors.values, ~held_out)
    fit = lasso.start(predictors, over_used, posed.y, ~held_out, posed.own, 3)
    largest = fit.number[lasso.PENALTY]
    lasso.advance(fit, 0.8 * largest, 300)
    before = fit.strong.copy()
    lasso._let_in_above(fit, bound * largest)
    others = (predictors.values - over_used.centre[:, None]) / over_used.spread[:, None]
    above = (np.abs(others @ fit.residual) > bound * largest) & fit.usable
    assert 0 < np.count_nonzero(above) < len(above) - 1
    np.testing.assert_array_equal(fit.strong, before | above)


def test_too_many_predictors_end_the_path_with_a_failure():
    random = np.random.default_rng(2)
    predictors = Predictors.of(random.normal(size=(60, 80)))
    y = random.poisson(2.0, 80).astype(float)
    fit = lasso.start(predictors, predictors.over_all, y, np.ones(80, dtype=bool), -1, 2)
    assert lasso.advance(fit, 1e-3 * fit.number[lasso.PENALTY], 5) == lasso.FAILED


if __name__ == "__main__":
    import tempfile

    stored = {f"gene_{g}": run_glmnet(Problem(g), Path(tempfile.mkdtemp())) for g in GENES}
    np.savez_compressed(GLMNET_OUTPUT, **stored)
