# Poisson counts of mean 3 instead of the Splat model; the same functions, names and value.
setClass("SplatParams", representation(values = "list"))

newSplatParams <- function(...) {
  setParams(new("SplatParams", values = list(
    nGenes = 10000, batchCells = 100, batch.facLoc = 0.1, batch.facScale = 0.1,
    batch.rmEffect = FALSE, mean.shape = 0.6, mean.rate = 0.3, lib.loc = 11, lib.scale = 0.2,
    lib.norm = FALSE, out.prob = 0.05, out.facLoc = 4, out.facScale = 0.5, group.prob = 1,
    de.prob = 0.1, de.downProb = 0.5, de.facLoc = 0.1, de.facScale = 0.4, bcv.common = 0.1,
    bcv.df = 60, dropout.type = "none", dropout.mid = 0, dropout.shape = -1, path.from = 0,
    path.nSteps = 100, path.skew = 0.5, path.nonlinearProb = 0.1, path.sigmaFac = 0.8, seed = 1
  )), ...)
}

setParams <- function(object, update = NULL, ...) {
  update <- c(update, list(...))
  stopifnot(is(object, "SplatParams"))
  unknown <- setdiff(names(update), names(object@values))
  if (length(unknown)) stop("no parameter ", unknown[1])
  for (name in names(update)) {
    if (mode(update[[name]]) != mode(object@values[[name]])) stop(name, " is of the wrong mode")
    object@values[[name]] <- update[[name]]
  }
  object
}

splatSimulate <- function(params = newSplatParams(), method = c("single", "groups", "paths"),
                          sparsify = TRUE, verbose = TRUE, ...) {
  stopifnot(match.arg(method) == "groups")
  given <- params@values
  set.seed(given$seed)
  n_cells <- sum(given$batchCells)
  n_groups <- length(given$group.prob)
  genes <- paste0("Gene", seq_len(given$nGenes))
  cells <- paste0("Cell", seq_len(n_cells))
  true <- matrix(rpois(given$nGenes * n_cells, 3), given$nGenes, dimnames = list(genes, cells))
  # The parameters come back where a test can see them.
  of_genes <- S4Vectors::DataFrame(
    Gene = genes, BaseGeneMean = given$de.prob, OutlierFactor = given$dropout.mid[1],
    GeneMean = given$dropout.shape[1], row.names = genes
  )
  for (batch in seq_along(given$batchCells)) {
    of_genes[[paste0("BatchFacBatch", batch)]] <- given$batch.rmEffect + 0
  }
  for (group in seq_len(n_groups)) {
    of_genes[[paste0("DEFacGroup", group)]] <- given$group.prob[group]
  }
  # Half of the genes are lost in every cell but one.
  lost <- row(true) %% 2 == 0 & col(true) > 1
  counts <- true
  counts[lost] <- 0L
  SingleCellExperiment::SingleCellExperiment(
    assays = list(counts = Matrix::Matrix(counts, sparse = TRUE), TrueCounts = true),
    rowData = of_genes,
    colData = S4Vectors::DataFrame(
      Cell = cells, Batch = paste0("Batch", rep(seq_along(given$batchCells), given$batchCells)),
      Group = factor(paste0("Group", rep(seq_len(n_groups), length.out = n_cells))),
      ExpLibSize = given$lib.loc, row.names = cells
    )
  )
}
