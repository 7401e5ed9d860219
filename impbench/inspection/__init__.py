"""What a user's file holds, and the command that benchmarks it."""
