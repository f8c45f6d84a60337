"""Values on the command line, spelled as calls: `sgd`, `adamw(rate=1e-3, decay=1e-2)`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any


def called(argument: str, text: str, known: Mapping[str, Callable[..., Any]]) -> Any:
    """Return what `text` spells: a name of `known`, with keyword settings that are literals.

    Nothing is executed but the constructor that the name stands for.

    Raises
    ------
    ValueError
        When the text is no such call, or the constructor refuses its settings.

    Examples
    --------
    >>> called("--size", "box(2, height=3)", {"box": dict})
    Traceback (most recent call last):
        ...
    ValueError: --size must be one of box, with settings by name, as in box(rate=0.1), got \
'box(2, height=3)'
    >>> called("--size", "box(height=3)", {"box": dict})
    {'height': 3}
    """
    wrong = ValueError(
        f"{argument} must be one of {', '.join(known)}, with settings by name, as in "
        f"{next(iter(known))}(rate=0.1), got {text!r}"
    )
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise wrong from None
    call = ast.Call(tree, [], []) if isinstance(tree, ast.Name) else tree
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)) or call.args:
        raise wrong
    if call.func.id not in known or any(keyword.arg is None for keyword in call.keywords):
        raise wrong
    names = [keyword.arg for keyword in call.keywords]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"{argument} must give each setting once, got {name} twice in {text!r}"
            )
    try:
        settings = {str(key.arg): ast.literal_eval(key.value) for key in call.keywords}
    except (ValueError, TypeError):
        raise wrong from None
    try:
        return known[call.func.id](**settings)
    except TypeError as error:
        raise ValueError(f"{argument}: {text!r}: {error}") from error
