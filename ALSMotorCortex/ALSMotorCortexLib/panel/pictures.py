"""Pictures of the views for the report."""

from __future__ import annotations

from typing import Any

import ctk
import qt
import slicer
from slicer.i18n import tr as _


def screenshots() -> dict[str, bytes]:
    """PNG pictures of the views as they are now, by name."""
    manager = slicer.app.layoutManager()
    if manager is None:
        return {}
    slicer.util.forceRenderAllViews()
    views = {name: manager.sliceWidget(name) for name in manager.sliceViewNames()}
    views |= {
        _("3D {number}").format(number=n + 1): manager.threeDWidget(n)
        for n in range(manager.threeDViewCount)
    }
    return {name: _png(view) for name, view in views.items() if view and view.visible}


def _png(widget: Any) -> bytes:
    picture = ctk.ctkWidgetsUtils.grabWidget(widget)
    data = qt.QByteArray()
    buffer = qt.QBuffer(data)
    buffer.open(qt.QIODevice.WriteOnly)
    picture.save(buffer, "PNG")
    return bytes(data.data())
