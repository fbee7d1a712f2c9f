"""The module's panel in Slicer's window: one small class for each section.

The panel decides nothing by itself. A section shows what the scene and the parameter node say,
and calls the logic (``module_logic.py``) or ``scene/`` when a button is clicked.

How to add a section, say *Echoes*:

1. Its widgets go into ``Resources/UI/Sections/Echoes.ui``, made with Qt Designer. Copy the frame
   from ``Report.ui``: a ``qMRMLWidget`` as root, in it a ``ctkCollapsibleButton`` named
   ``echoesCollapsibleButton`` that holds the form, and last in the form a ``QLabel`` named
   ``echoesMessageLabel``. A widget's name occurs once in all of the panel. Every control has a
   tool tip. A node selector gets the scene by a connection in the file. A control that stores a
   choice names its field in the property ``SlicerParameterName``; it needs no code.
2. Its class goes into ``panel/echoes.py``: ``class EchoesSection(Section)`` with
   ``name = "echoes"``. :meth:`~.section.Section.setup` connects the buttons, and
   :meth:`~.section.Section.refresh` brings the widgets up to date; it runs after each change of
   the parameter node, of the list of nodes, and of the nodes that
   :meth:`~.section.Section.watched` returns. What a button does goes into
   ``with self.message():``, so that a failure becomes a sentence in the section.
   ``self.logic``, ``self.parameters``, ``self.scene`` and ``self.panel`` are at hand;
   ``self.panel["results"]`` is another section.
3. The class is listed in ``SECTIONS`` of ``panel/panel.py``, in the order of the window.
4. New choices are fields of ``ALSMotorCortexParameterNode`` in ``ALSMotorCortex.py``; those with
   a few values are an enumeration in ``panel/choices.py``. Settings of the measurement are
   handed on by ``scene/chosen.py``.
5. The new files are listed in ``ALSMotorCortex/CMakeLists.txt``; the tests print the list.

``Testing/Python/test_ui.py`` checks all of it against Slicer's own classes. Code here may import
``qt`` and ``ctk``; of the library it uses ``scene``, ``study``, ``report`` and what is below them.
"""
