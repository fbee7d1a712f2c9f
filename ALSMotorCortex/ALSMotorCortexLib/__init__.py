"""Thickness and laminar signal of the motor cortex.

Research software, not a medical device.
"""

__version__ = "0.1.0"
