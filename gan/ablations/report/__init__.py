"""Reports: tables, figures and pages of many runs, read from what they left on the disk."""
