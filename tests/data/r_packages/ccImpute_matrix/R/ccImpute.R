# A zero becomes k instead of ccImpute; the same arguments and value as before Bioconductor 3.19.
ccImpute <- function(logX, useRanks = TRUE, pcaMin, pcaMax, k, consMin = 0.65, kmNStart,
                     kmMax = 1000, BPPARAM = BiocParallel::bpparam()) {
  stopifnot(is.matrix(logX))
  filled <- if (missing(k)) 100 else k
  columns <- BiocParallel::bplapply(seq_len(ncol(logX)), function(cell) {
    ifelse(logX[, cell] == 0, filled, logX[, cell])
  }, BPPARAM = BPPARAM)
  matrix(unlist(columns), nrow(logX), dimnames = dimnames(logX))
}
