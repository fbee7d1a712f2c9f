"""The measurement: arrays in, arrays out.

Axis order, once and for the whole package: every image array is indexed ``[k, j, i]``,
C-contiguous, which is what ``slicer.util.arrayFromVolume`` and
``SimpleITK.GetArrayFromImage`` give without a copy. Points, spacings and vectors are
``(k, j, i)`` too. Only the 4 x 4 matrix of a :class:`~.grid.Grid` keeps the usual
IJK-to-RAS column order, and :meth:`~.grid.Grid.ras` is the one place that converts.

Lengths are in mm, volumes in mm3, depth is a fraction: 0 at the pial surface, 1 at the
white matter. Nothing here imports ``slicer``, ``vtk`` or Qt.
"""
