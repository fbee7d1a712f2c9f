"""Many participants of a BIDS dataset: measured one by one or side by side, and collected."""
