"""Results, targets and ratios, and the page, tables and pictures that show them."""
