"""Tables of protection classes and privacy profiles."""

from __future__ import annotations

from collections import Counter

from singer_rest.privacy.classes import CLASSES, TOP_CLASSES, lookup_class
from singer_rest.privacy.classification import EACH_STREAM, parse_row_rule, shipped_classes
from singer_rest.privacy.profiles import ACTIONS, EVERYTHING, PROFILES

from docsite import catalog
from docsite.text import make_table

TAPS = ("tap_personio", "tap_factorial", "tap_cornerstone")


def classes() -> str:
    """Returns the table of protection classes, with the number of paths of each tap."""
    counts = {
        tap: Counter(
            protection.name.partition(".")[0]
            for stream, paths in shipped_classes(tap).items()
            if EACH_STREAM not in stream
            for path, protection in paths.items()
            if not parse_row_rule(path, protection.name)
        )
        for tap in TAPS
    }
    rows = [[f"`{name}`", CLASSES[name], *(str(counts[tap][name]) for tap in TAPS)] for name in TOP_CLASSES]
    return make_table(["Class", "Values", "Personio", "Factorial", "Cornerstone"], rows)


def profiles() -> str:
    """Returns the table of what each profile does with each class."""
    names = [name for name in PROFILES if name != EVERYTHING]
    named = {key for name in names for key in PROFILES[name]}
    rows = [
        [f"`{key}`", *(lookup_class(key, PROFILES[name]) or "keep" for name in names)]
        for key in CLASSES
        if key in named or "." not in key
    ]
    return make_table(["Class", *(f"`{name}`" for name in names)], rows)


def lost_streams() -> str:
    """Returns the list of the streams that each profile does not offer, because it drops a part of their keys."""
    lines = []
    for name in PROFILES:
        lost = []
        for tap_class, config in catalog.EVERYTHING.values():
            tap = tap_class(config={**config, "privacy": name}, validate_config=False)
            offered = tap_class(config=config, validate_config=False).streams
            lost += [f"`{stream}`" for stream in offered if stream not in tap.streams]
        if lost:
            lines.append(f"- `{name}`: {', '.join(lost)}")
    return "\n".join(lines)


def actions() -> str:
    """Returns the list of actions."""
    return "\n".join(f"- `{name}`: the value {text}." for name, text in ACTIONS.items())
