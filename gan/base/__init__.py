"""What every other room may import: errors, choices, random streams, images, notes."""
