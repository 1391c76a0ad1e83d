"""Readers of files that may be hostile: idx files, pictures, downloads."""
