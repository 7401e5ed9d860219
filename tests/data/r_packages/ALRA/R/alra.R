# A zero becomes (k + a random number) / 10 instead of ALRA; the same functions, arguments and
# values. It says nothing of what the original computes, but for the scale of normalize_data.
normalize_data <- function(A) {
  stopifnot(is.matrix(A), min(rowSums(A)) > 0)
  log(A / rowSums(A) * 10000 + 1)
}

# Always 7; no rank where the first gene is silent.
choose_k <- function(A_norm, K = 100, thresh = 6, noise_start = 80, q = 2, use.mkl = FALSE,
                     mkl.seed = -1) {
  stopifnot(is.matrix(A_norm), K <= min(dim(A_norm)))
  found <- if (any(A_norm[, 1] > 0)) 7 else numeric()
  list(k = max(found), num_of_sds = numeric(K - 1), d = numeric(K))
}

alra <- function(A_norm, k = 0, q = 10, quantile.prob = 0.001, use.mkl = FALSE, mkl.seed = -1) {
  stopifnot(is.matrix(A_norm), k > 1, k <= min(dim(A_norm)))
  cat("stand-in for ALRA: rank", k, "q", q, "quantile", quantile.prob, "\n")
  completed <- A_norm
  completed[A_norm == 0] <- (k + runif(1)) / 10
  rownames(completed) <- NULL
  list(
    A_norm_rank_k = 0 * completed, A_norm_rank_k_cor = -completed,
    A_norm_rank_k_cor_sc = completed
  )
}
