"""The study's report page."""

from __future__ import annotations


def write_study_report(found, path, record) -> None:
    path.write_text("<!DOCTYPE html><title>Study</title>")
