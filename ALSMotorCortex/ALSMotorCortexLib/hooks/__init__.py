"""What the extension adds to other modules of Slicer: see :mod:`.register`.

Besides the module's own file, the only place that may use Qt. Files that Slicer loads by their
path, as modules of their own, keep to absolute imports: ``ALSMotorCortexSubjectHierarchyPlugin``
and what lies in ``ALSMotorCortexEffects``. The rest also runs on ``slicer-core``, with Qt only
inside the functions that need it.
"""
