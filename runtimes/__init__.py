"""Runtimes: each a folder with a manifest and an adapter; they never import each other."""
