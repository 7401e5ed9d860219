"""Packages and Pythons of a method's own: found, built and linked."""
