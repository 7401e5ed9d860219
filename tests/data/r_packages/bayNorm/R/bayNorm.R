# Counts / beta with 1 (mean), 2 (mode) or what runif gives (draws) added instead of bayNorm; the
# same functions, arguments and values. It says nothing of what the original computes.
bayNorm <- function(Data, BETA_vec = NULL, Conditions = NULL, UMI_sffl = NULL, Prior_type = NULL,
                    mode_version = FALSE, mean_version = FALSE, S = 20, parallel = TRUE,
                    NCores = 5, FIX_MU = TRUE, GR = FALSE, BB_SIZE = TRUE, verbose = TRUE,
                    out.sparse = FALSE) {
  stopifnot(
    is.matrix(Data), all(Data == round(Data)), length(BETA_vec) == ncol(Data),
    min(BETA_vec) > 0, max(BETA_vec) < 1
  )
  message("stand-in for bayNorm: parallel ", parallel, ", ", NCores, " cores")
  # Not every version of bayNorm keeps the beta that it took by itself, so only what was given.
  params <- list(
    BETA_vec = BETA_vec, Conditions = Conditions, UMI_sffl = UMI_sffl, Prior_type = Prior_type,
    FIX_MU = FIX_MU, BB_SIZE = BB_SIZE, GR = GR
  )
  priors <- list(
    MME_prior = data.frame(MME_MU = rowMeans(Data), MME_SIZE = 1), MME_SIZE_adjust = rep(1, nrow(Data))
  )
  answer(Data, priors, params, mode_version, mean_version, S)
}

bayNorm_sup <- function(Data, PRIORS = NULL, input_params = NULL, mode_version = FALSE,
                        mean_version = FALSE, S = 20, parallel = TRUE, NCores = 5, BB_SIZE = TRUE,
                        verbose = TRUE, out.sparse = FALSE) {
  stopifnot(identical(PRIORS$MME_prior$MME_MU, unname(rowMeans(Data))), input_params$BB_SIZE)
  answer(Data, PRIORS, input_params, mode_version, mean_version, S)
}

answer <- function(counts, priors, params, mode_version, mean_version, S) {
  stopifnot(!mode_version || !mean_version)
  molecules <- sweep(counts, 2, params$BETA_vec, "/")
  out <- if (mean_version) {
    molecules + 1
  } else if (mode_version) {
    molecules + 2
  } else {
    added <- rep(runif(S), each = length(molecules))
    array(as.vector(molecules) + added, c(dim(molecules), S))
  }
  rownames(out) <- rownames(counts)
  colnames(out) <- colnames(counts)
  list(Bay_out = out, PRIORS = priors, input_params = params)
}
