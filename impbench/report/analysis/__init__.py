"""What a run says: scores summarised, ranked, tested and put into sentences."""
