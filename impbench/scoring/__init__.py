"""The process that scores: it alone holds the truth, and it imports no method that it scores."""
