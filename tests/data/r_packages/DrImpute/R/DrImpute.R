# A zero becomes a number made of the arguments instead of DrImpute; the same arguments and value as
# DrImpute 1.0 on CRAN. It says nothing of what the original computes.
DrImpute <- function(X, ks = 10:15, dists = c("spearman", "pearson"), method = "mean", cls = NULL,
                     seed = 1, zerop = 0) {
  stopifnot(
    is.matrix(X), min(colSums(X)) > 0, is.null(cls), method %in% c("mean", "med"),
    ncol(X) >= 10, max(ks) < ncol(X)
  )
  set.seed(seed)
  print(paste("stand-in for DrImpute:", paste(ks, collapse = " ")))
  X[X == 0] <- sum(ks) + 100 * (method == "med") + zerop + runif(1) / 10
  colnames(X) <- NULL
  X
}
