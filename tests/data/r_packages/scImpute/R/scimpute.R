# A zero becomes Kcluster + drop_thre instead of scImpute; the same arguments and files.
scimpute <- function(count_path, infile = "csv", outfile = "csv", type = "count", out_dir,
                     labeled = FALSE, drop_thre = 0.5, Kcluster = NULL, labels = NULL,
                     genelen = NULL, ncores = 5) {
  stopifnot(infile == "rds", outfile == "rds", endsWith(out_dir, "/"), !labeled)
  print(paste("stand-in for scImpute:", ncores, "cores"))
  counts <- readRDS(count_path)
  counts[counts == 0] <- Kcluster + drop_thre
  saveRDS(counts, paste0(out_dir, "scimpute_count.rds"))
  invisible(NULL)
}
