# About twice the normalised counts instead of SAVER; the same arguments and value.
saver <- function(x, do.fast = TRUE, ncores = 1, size.factor = NULL, npred = NULL,
                  pred.cells = NULL, pred.genes = NULL, pred.genes.only = FALSE,
                  null.model = FALSE, mu = NULL, estimates.only = FALSE) {
  stopifnot(is.matrix(x), is.double(x), min(colSums(x)) > 0, !estimates.only)
  message("stand-in for SAVER: ", ncores, " cores, do.fast ", do.fast, ", null.model ", null.model)
  normalised <- sweep(x, 2, colSums(x) / mean(colSums(x)), "/")
  list(estimate = (2 + 0.1 * runif(1)) * normalised, se = sqrt(normalised), info = list())
}
