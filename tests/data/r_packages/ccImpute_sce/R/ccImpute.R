# A zero becomes k instead of ccImpute; the same arguments and value as since Bioconductor 3.19.
ccImpute <- function(object, dist, nCeil = 2000, svdMaxRatio = 0.08, maxSets = 8, k,
                     consMin = 0.75, kmNStart, kmMax = 1000, fastSolver = TRUE,
                     BPPARAM = BiocParallel::bpparam(), verbose = TRUE) {
  stopifnot(methods::is(object, "SingleCellExperiment"))
  logX <- SummarizedExperiment::assay(object, "logcounts")
  filled <- if (missing(k)) 100 else k
  columns <- BiocParallel::bplapply(seq_len(ncol(logX)), function(cell) {
    ifelse(logX[, cell] == 0, filled, logX[, cell])
  }, BPPARAM = BPPARAM)
  imputed <- matrix(unlist(columns), nrow(logX), dimnames = dimnames(logX))
  SummarizedExperiment::assay(object, "imputed", withDimnames = FALSE) <- imputed
  object
}
