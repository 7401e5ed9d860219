"""From a suite to the list of jobs and tasks, before any data are loaded."""
