"""Jobs as processes of one machine."""
