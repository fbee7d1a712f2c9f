"""MRML nodes to arrays and back, and result nodes. Needs ``slicer``, never Qt."""
