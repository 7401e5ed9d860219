"""Files of R, read without R; nothing here is imported before such a file is met."""
