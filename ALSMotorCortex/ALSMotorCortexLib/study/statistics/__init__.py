"""Statistics of a study: numbers in, numbers out; numpy and scipy only.

All functions take one-dimensional arrays. Only :func:`.descriptive.describe` and
:func:`.multiple.benjamini_hochberg` accept NaN; whoever calls the others leaves missing values
out first, and counts them. What cannot be computed comes back as NaN, never as an error.
"""
