"""Feature extractors: networks in whose features and classes images are compared."""
