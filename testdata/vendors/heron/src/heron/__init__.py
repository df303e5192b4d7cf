"""Finds long random words in text files."""

from .scan import Finding, entropy, scan

__all__ = ["Finding", "entropy", "scan"]
