"""What the reading module's buttons and keys do, without the window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .cortex.errors import InputError
from .scene import layout
from .scene import reading as shown
from .scene.translation import tr as _
from .study.images import read_image
from .study.reading import Session, find_cases
from .study.readings import HEMISPHERES


class ReadingLogic:
    """Leads a reader through the cases of a session, each shown blinded.

    Attributes:
        scene: the vtkMRMLScene that the cases are shown in.
        session: the reader's session; None before it starts and after it ends.
        hemisphere: the one that keys rate, ``left`` or ``right``.
        readable: whether the present case could be shown.
        node: the present case's vtkMRMLScalarVolumeNode, or None.
    """

    def __init__(self, scene: Any) -> None:
        self.scene = scene
        self.session: Session | None = None
        self.hemisphere = HEMISPHERES[0]
        self.readable = False
        self.node: Any = None
        self._views: dict[str, tuple[int, int]] = {}
        self._arrangement = 0

    # Session ------------------------------------------------------------------------------

    def reason(self, cases: str, reader: str, folder: str) -> str:
        """Why no session can start; empty when one can."""
        if not cases:
            return _("Choose the cases: a folder, or a list.")
        if not reader.strip():
            return _("Type the reader's name.")
        if not folder:
            return _("Choose a folder for the readings.")
        if shown.in_the_way(self.scene):
            return _("Close the scene first: what is in it could tell which case is shown.")
        return ""

    def start(self, cases: str, reader: str, folder: str) -> str:
        """Starts a session, or goes on where the reader stopped, and shows the case.

        Returns:
            What the reader should know.

        Raises:
            InputError: there are no cases, or the files cannot be used.
        """
        if missing := self.reason(cases, reader, folder):
            raise InputError(missing)
        self.session = Session(reader, find_cases(cases), folder)
        # Only this one remembers what the views were like.
        self._arrangement = layout.arrangement(self.scene)
        layout.arrange(self.scene, layout.READING)
        self._views = shown.mark_views(self.scene)
        told = [self.show(), *self._begun()]
        return " ".join(text for text in told if text)

    def _begun(self) -> list[str]:
        session = self.session
        assert session is not None
        told = []
        if session.finished:
            told.append(
                _("{done} of {count} cases are rated already.").format(
                    done=session.finished, count=session.count
                )
            )
        if session.missing:
            told.append(
                _("Cases without a file, which are left out: {count}. {key} names them.").format(
                    count=len(session.missing), key=session.key.name
                )
            )
        return told

    def end(self) -> None:
        """Ends the session and takes its case out of the scene; all ratings are written."""
        if self.session is None:
            return
        self.session = None
        self.node = None
        shown.clear(self.scene)
        shown.restore_views(self.scene, self._views)
        layout.arrange(self.scene, self._arrangement)

    # Cases --------------------------------------------------------------------------------

    def show(self) -> str:
        """Shows the present case. Returns what to tell the reader where it cannot be shown.

        Raises:
            InputError: the session's files cannot be written.
        """
        session = self.session
        assert session is not None
        case = session.case
        why = ""
        try:
            image = (
                shown.image_of_scene(case.path) if case.is_scene else read_image(case.path).image
            )
            self.node = shown.show_case(self.scene, image, session.number)
        except InputError as error:
            why = str(error)
            self.node = None
            shown.clear(self.scene)
        self.readable = not why
        self.hemisphere = self._open_side() or HEMISPHERES[0]
        session.cannot_read(why)
        if not why:
            return ""
        # The reason holds the file's name, which the reader must not see.
        return _("Case {number} cannot be read. {key} says why. Go on with the next case.").format(
            number=session.number, key=session.key.name
        )

    def move(self, steps: int) -> str:
        """Goes to the next (1) or an earlier (-1) case; returns what :meth:`show` does.

        Raises:
            InputError: see :meth:`show`.
        """
        assert self.session is not None
        return self.show() if self.session.move(steps) else ""

    # Ratings ------------------------------------------------------------------------------

    def rate(self, item: str, answer: int, hemisphere: str = "") -> None:
        """Rates an item, by default in the hemisphere that keys rate.

        Once the hemisphere is done, keys rate the other one if it is not.

        Raises:
            InputError: the rating could not be written; it is kept.
        """
        if self.session is None or not self.readable:
            return
        self.hemisphere = hemisphere or self.hemisphere
        side = self.hemisphere
        was_open = bool(self.session.left_over(side))
        try:
            self.session.rate(side, item, answer)
        finally:
            if was_open and not self.session.left_over(side):
                self.hemisphere = self._open_side() or side

    def skip(self, hemisphere: str = "") -> None:
        """Says that a hemisphere cannot be assessed, by default the one that keys rate.

        Raises:
            InputError: see :meth:`rate`.
        """
        if self.session is None or not self.readable:
            return
        self.hemisphere = hemisphere or self.hemisphere
        try:
            self.session.skip(self.hemisphere)
        finally:
            self.hemisphere = self._open_side() or self.hemisphere

    def undo(self) -> str:
        """Takes the last rating back, and shows its case; returns what to tell the reader.

        Raises:
            InputError: see :meth:`rate`.
        """
        assert self.session is not None
        before = self.session.position
        side = self.session.undo()
        if not side:
            return _("There is no rating to take back since the session was started.")
        told = self.show() if self.session.position != before else ""
        self.hemisphere = side
        return told

    def switch(self, hemisphere: str = "") -> None:
        """Lets keys rate a hemisphere, by default the other one."""
        other = HEMISPHERES[1 - HEMISPHERES.index(self.hemisphere)]
        self.hemisphere = hemisphere or other

    def _open_side(self) -> str:
        """A hemisphere of the present case with something to rate; empty when there is none."""
        assert self.session is not None
        return next((side for side in HEMISPHERES if self.session.left_over(side)), "")

    def status(self) -> str:
        """How far the present case and the session are, in a sentence."""
        session = self.session
        if session is None:
            return ""
        if not self.readable:
            return _("This case cannot be rated.")
        if session.is_done():
            if session.finished + len(session.unreadable) == session.count:
                return _("All cases are done. The session can be ended.")
            return _("This case is done. Go on with the next.")
        counts = [(side, len(session.left_over(side))) for side in HEMISPHERES]
        return _("Still to rate: left {left}, right {right}.").format(**dict(counts))


def default_folder(cases: str) -> str:
    """Where readings go unless another folder is chosen: beside the cases."""
    return str(Path(cases).parent / "readings") if cases else ""
