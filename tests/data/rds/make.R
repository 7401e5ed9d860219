# Writes the files beside it, as `Rscript make.R FOLDER`: one SingleCellExperiment with everything
# that such objects carry, in every version and compression, and its counts in every class.
suppressMessages({
    library(SingleCellExperiment); library(Matrix); library(DelayedArray)
})
out <- commandArgs(TRUE)[1]
set.seed(1)
counts <- matrix(rpois(60, 3), 10, 6, dimnames = list(paste0("g", 1:10), paste0("c", 1:6)))
write.csv(counts, file.path(out, "counts.csv"))

sce <- function(counts) SingleCellExperiment(
    list(counts = counts),
    colData = DataFrame(
        cell_type1 = factor(c("a", "b", NA, "a", "b", "a")), batch = c("x", "y", "x", "y", NA, "x"),
        n = c(1:5, NA), run = Rle(c(1, 1, 2, 2, 3, 3)), table = I(DataFrame(a = 1:6))
    ),
    rowData = DataFrame(feature_symbol = paste0("S", 1:10))
)
full <- sce(as(counts, "dgCMatrix"))
logcounts(full) <- log2(counts(full) + 1)
sizeFactors(full) <- runif(6) + 0.5
altExp(full, "ERCC") <- SummarizedExperiment(list(counts = counts[1:3, ]))
reducedDim(full, "PCA") <- matrix(rnorm(12), 6)
# What isSpike() kept before alternative experiments were.
int_elementMetadata(full)$is_spike_ERCC <- rep(c(FALSE, TRUE), c(8, 2))
metadata(full) <- list(f = function(x) x + 1, e = new.env(), q = quote(a + b), raw = as.raw(1:3))
for (version in 2:3) for (how in c("gzip", "xz", "bzip2", "none")) saveRDS(
    full, file.path(out, paste0("full_", version, "_", how, ".rds")), version = version,
    compress = if (how == "none") FALSE else how
)
# Before 2019 the assays lay in an environment.
old <- full
old@assays <- new("ShallowSimpleListAssays", data = SimpleList(counts = counts))
saveRDS(old, file.path(out, "full_2_old.rds"), version = 2, compress = "xz")

bare <- counts
dimnames(bare) <- NULL
columns <- as(counts, "dgCMatrix")
classes <- list(
    integer = counts, double = counts + 0, bare = bare, dgC = columns, dge = as(columns, "unpackedMatrix"),
    dgT = as(columns, "TsparseMatrix"), dgR = as(columns, "RsparseMatrix"),
    delayed = DelayedArray(counts), frame = as.data.frame(counts), DataFrame = DataFrame(counts)
)
for (name in names(classes)) {
    saveRDS(sce(classes[[name]]), file.path(out, paste0("sce_", name, ".rds")), version = 2)
    saveRDS(classes[[name]], file.path(out, paste0("plain_", name, ".rds")))
}
# One assay that nobody but R can compute, beside counts that are fine.
odd <- sce(columns)
assay(odd, "odd") <- log(DelayedArray(counts) + 1)
saveRDS(odd, file.path(out, "sce_odd.rds"))
# Counts that only R can put together, beside logs that functions in the file compute.
pieces <- sce(cbind(DelayedArray(columns)[, 1:3], DelayedArray(columns)[, 4:6]))
assay(pieces, "logcounts") <- log(assay(pieces) + 1)
saveRDS(pieces, file.path(out, "sce_pieces.rds"))
# Counts that a function in the file computes, which does something else besides.
coded <- DelayedArray(counts)
coded@seed <- new("DelayedUnaryIsoOpStack", seed = counts, OPS = list(
    function(a) { file.create(Sys.getenv("IMPBENCH_WAS_RUN")); a }
))
saveRDS(sce(coded), file.path(out, "sce_coded.rds"))
# A class of the user's own that is made of SingleCellExperiment, and whole numbers of 64 bits.
setClass("OwnExperiment", contains = "SingleCellExperiment", where = globalenv())
saveRDS(as(sce(counts), "OwnExperiment"), file.path(out, "sce_own.rds"))
long <- bit64::as.integer64(counts)
dim(long) <- dim(counts)
saveRDS(sce(long), file.path(out, "sce_long.rds"))
# A few bytes that stand for much: ten million numbers in a row, and as many empty rows.
saveRDS(SummarizedExperiment(list(counts = counts), metadata = list(1:1e7)), file.path(out, "claims_sequence.rds"))
saveRDS(sparseMatrix(1e7, 2, x = 1, repr = "T"), file.path(out, "claims_rows.rds"))
saveRDS(lm(n ~ r, data.frame(n = 1:6, r = rnorm(6))), file.path(out, "lm.rds"))
