"""MRML nodes to images and back; result nodes and scene files. Needs ``slicer``, never Qt.

The same code runs in the Slicer application and on the package ``slicer-core``. On
``slicer-core`` there is no ``slicer.mrmlScene``: make a scene with
:func:`.results.new_scene`.
"""
