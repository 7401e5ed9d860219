"""First-party imputers, each written exactly as a third party would write it."""
