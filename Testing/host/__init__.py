"""A small stand-in for the Slicer application, to run a module file on ``slicer-core``.

``slicer-core`` has Slicer's scene, nodes, logics and ``slicer.util``, but neither window nor
application. :func:`~host.application.running` adds, for as long as it lasts, what a module file
imports besides: ``slicer.ScriptedLoadableModule``, ``slicer.parameterNodeWrapper``,
``slicer.i18n``, ``slicer.app``, ``slicer.modules``, ``SampleData``, and ``qt`` and ``ctk`` by name
only. Names and parameters are those that record.py has read out of Slicer; a name that Slicer does
not have is refused, and what Slicer has and the host has not says so.

The panel itself needs Slicer. What it asks of Qt is checked by Testing/Python/test_ui.py against
the recorded classes, and Testing/slicer_selftest.py runs it in the application.
"""
