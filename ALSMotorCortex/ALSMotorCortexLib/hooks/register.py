"""Adds the hooks to Slicer, once its other modules are loaded."""

from __future__ import annotations

import logging
from pathlib import Path

HERE = Path(__file__).parent
EFFECT = "M1 ribbon"
ACTION = "ALSMotorCortex"


def register() -> None:
    """Registers the Segment Statistics plugin, the Segment Editor effect and the menu action.

    To be called when the application has started. What is registered already stays as it is,
    except the Segment Statistics plugin, which is replaced, so that a reload of the module shows.
    A module that is switched off in Slicer's settings only costs its hook; the log says so.
    """
    for hook in (_register_statistics, _register_effect, _register_action):
        try:
            hook()
        except Exception:
            logging.exception(
                f"ALS Motor Cortex: {hook.__name__} failed; the rest works without it"
            )


def _register_statistics() -> None:
    from SegmentStatistics import SegmentStatisticsLogic

    from .segment_statistics_plugin import M1ThicknessSegmentStatisticsPlugin as Plugin

    plugins = SegmentStatisticsLogic.registeredPlugins
    plugins[:] = [p for p in plugins if p.__name__ != Plugin.__name__]
    SegmentStatisticsLogic.registerPlugin(Plugin())


def _register_effect() -> None:
    import qSlicerSegmentationsEditorEffectsPythonQt as effects
    import slicer

    factory = slicer.qSlicerSegmentEditorEffectFactory.instance()
    if any(effect.name == EFFECT for effect in factory.registeredEffects()):
        return
    effect = effects.qSlicerSegmentEditorScriptedEffect(None)
    effect.setPythonSource(
        (HERE / "ALSMotorCortexEffects" / "SegmentEditorM1RibbonEffect.py").as_posix()
    )
    effect.self().register()


def _register_action() -> None:
    import slicer

    handler = slicer.qSlicerSubjectHierarchyPluginHandler.instance()
    if any(plugin.name == ACTION for plugin in handler.registeredPlugins()):
        return
    plugin = slicer.qSlicerSubjectHierarchyScriptedPlugin(None)
    plugin.setPythonSource((HERE / "ALSMotorCortexSubjectHierarchyPlugin.py").as_posix())
