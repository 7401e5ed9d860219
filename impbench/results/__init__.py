"""What a run leaves behind: typed records, the manifest and the table made from them."""
