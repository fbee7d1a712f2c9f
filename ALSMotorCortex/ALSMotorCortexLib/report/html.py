"""Pieces of HTML that every report has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

DISCLAIMER = (
    "This is research software and not a medical device. Its numbers must not be the basis of a "
    "diagnosis or a treatment."
)


def tabulate(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    caption: str,
    numbers: Iterable[int] = (),
    kind: str = "full",
) -> str:
    """A table; heads and caption are text, cells are HTML, ``numbers`` are columns of them.

    A row of a single cell goes across all columns and heads the rows below it.
    """
    right = set(numbers)

    def cell(tag: str, column: int, html: str) -> str:
        side = " class='number'" if column in right else ""
        return f"<{tag}{side}>{html}</{tag}>"

    def line(row: Sequence[str]) -> str:
        if len(row) == 1 < len(heads):
            return f"<tr><td class='part' colspan='{len(heads)}'>{row[0]}</td></tr>"
        return f"<tr>{''.join(cell('td', i, c) for i, c in enumerate(row))}</tr>"

    head = "".join(cell("th", i, escape(h)) for i, h in enumerate(heads))
    body = "".join(line(row) for row in rows)
    named = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f"<div class='wide'><table class='{kind}'>{named}<thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def pairs(title: str, pairs: Iterable[tuple[str, str]]) -> str:
    """Names and values side by side under a title; empty without any."""
    items = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in pairs)
    return f"<div class='pairs'><h3>{title}</h3><dl>{items}</dl></div>" if items else ""


def byline(provenance: Mapping[str, Any], done: str = "measured") -> str:
    """Version and time, below the title."""
    version = (provenance.get("versions") or {}).get("ALSMotorCortex")
    parts = [f"ALSMotorCortex {version}" if version else "ALSMotorCortex"]
    if started := provenance.get("started"):
        parts.append(f"{done} {str(started).replace('T', ' ').replace('+00:00', ' UTC')}")
    return escape(" · ".join(parts))


Section = tuple[str, str, str]
"""A part of a page: its anchor, its heading, and its HTML; left out where that is empty."""


def document(title: str, under: str, sections: Iterable[Section], style: str) -> str:
    """A whole page that asks the network for nothing.

    Args:
        title: its heading.
        under: HTML of the line below it.
        sections: its parts.
        style: its style sheet.
    """
    shown = [(key, name, body) for key, name, body in sections if body]
    links = "".join(f"<a href='#{key}'>{name}</a>" for key, name, _ in shown)
    bodies = "".join(
        f"<section id='{key}'><h2>{name}</h2>{body}</section>" for key, name, body in shown
    )
    # The policy forbids the page every request, so what it shows can only be inside it.
    return (
        "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        "<meta http-equiv='Content-Security-Policy' "
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{style}</style></head><body>"
        f"<header><h1>{escape(title)}</h1><p>{under}</p>"
        f"<nav>{links}</nav></header><main>{bodies}</main>"
        f"<footer><p>{DISCLAIMER}</p></footer></body></html>\n"
    )


def alerts(texts: Sequence[str], head: str) -> str:
    """A list of warnings under a heading; empty without any."""
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return (
        f"<h3 class='alert'>{head}</h3><ul class='findings warning'>{items}</ul>" if items else ""
    )


def cards(shown: Iterable[tuple[str, str, str]]) -> str:
    """Key numbers: (name, number, small print) of each."""
    return "".join(
        f"<div class='card'><h3>{escape(name)}</h3><p class='big'>{escape(value)}</p>"
        f"<p>{escape(note)}</p></div>"
        for name, value, note in shown
    )
