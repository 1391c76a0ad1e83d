"""notMNIST: letters A to J from archives, folders or idx files."""
