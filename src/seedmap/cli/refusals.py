"""Words that the command line cannot read: one line that says what was found, and what is wanted."""

import difflib
from typing import Any, Literal, get_args, get_origin

from cyclopts import CoercionError, CycloptsError, MissingArgumentError, UnusedCliTokensError
from cyclopts.exceptions import UnknownCommandError

from seedmap.cli.wording import one_line

__all__ = ["refusal"]

# What is wanted where a word cannot be read as a type.
WANTED: dict[Any, str] = {
    int: "a whole number is wanted, such as 2",
    float: "a number is wanted, such as 0.5",
    bool: "leave the value out, or write yes or no",
}
EXAMPLES = {"--seed": "--seed PCC=0,-52,18"}


def refusal(error: CycloptsError) -> str:
    """Say in one line what was found, what was wanted and what to do."""
    verb = " ".join(["seedmap", *(error.command_chain or ())])
    text = _text(error, verb).rstrip(".")
    return f"{text}{'' if text.endswith('?') else '.'} See `{verb} --help`"


def _text(error: CycloptsError, verb: str) -> str:
    if isinstance(error, UnusedCliTokensError):
        return _left_over(error, verb)
    if isinstance(error, UnknownCommandError):
        return _no_verb(error)
    if isinstance(error, MissingArgumentError):
        return _missing(error, verb)
    if isinstance(error, CoercionError) and error.token:
        return _unreadable(error, error.token.keyword, error.token.value)
    return one_line(error)


def _unreadable(error: CoercionError, flag: str | None, value: str) -> str:
    """Say what is wanted in place of a value."""
    name = flag or (error.argument.name if error.argument else "the value")
    if error.target_type in WANTED:
        return f"{name} {value}: {WANTED[error.target_type]}"
    choices = [str(one) for one in get_args(error.target_type)]
    if get_origin(error.target_type) is not Literal or not choices:
        return one_line(error)
    if error.argument and type(None) in get_args(error.argument.hint):
        choices.append("none")
    near = difflib.get_close_matches(value, choices, n=1)
    hint = f" (near: {near[0]})" if near else ""
    return f"{name} {value} is not known{hint}; choose one of {', '.join(choices)}"


def _left_over(error: UnusedCliTokensError, verb: str) -> str:
    """Say of a word that nothing takes which option stands before it, and what that one takes."""
    tokens, word = list(error.root_input_tokens or ()), (error.unused_tokens or [""])[0]
    before = tokens[: tokens.index(word)] if word in tokens else []
    flag = next((one for one in before[::-1] if one.startswith("-")), "")
    argument = _argument(error, flag.partition("=")[0])
    if argument is None:
        return f"{word!r} is one word too many; {verb} takes {_positional(error)}; leave it out"
    if argument.hint is bool:
        return f"{word!r} stands behind {flag}, which takes no value; leave it out"
    if argument.is_var_positional() or argument.token_count()[1]:
        return f"{word!r} stands behind {flag}, which takes one value; write {flag} before each: {flag} {word}"
    return f"{word!r} stands behind {flag}, which takes one value; leave it out"


def _no_verb(error: UnknownCommandError) -> str:
    """Say which verbs there are."""
    word = (error.unused_tokens or [""])[0]
    verbs = [name for name in (error.app or ()) if not name.startswith("-")]
    near = difflib.get_close_matches(word.lower(), verbs, n=1)
    hint = f" (near: {near[0]})" if near else ""
    return f"{word!r} is no verb of seedmap{hint}; choose one of {', '.join(verbs)}"


def _missing(error: MissingArgumentError, verb: str) -> str:
    """Say of what a value is missing: an option without one, or what every call needs."""
    argument = error.argument
    name = error.keyword or (argument.name if argument else "a value")
    if name in (error.root_input_tokens or ()):
        return f"{name} is given without a value; write the value behind it"
    near = difflib.get_close_matches(name, error.unused_tokens or [], n=1)
    if near:
        return f"{near[0]} is not known; did you mean {name}?"
    example = f", such as {EXAMPLES[name]}" if name in EXAMPLES else ""
    return f"{name} is missing; {verb} needs it{example}"


def _argument(error: CycloptsError, flag: str) -> Any:
    """Return the option of a name; None where it is no option of the verb."""
    if error.app is None or not flag:
        return None
    known = error.app.assemble_argument_collection()
    return next((one for one in known if flag in one.names), None)


def _positional(error: CycloptsError) -> str:
    """Name what a verb takes beside options."""
    known: Any = error.app.assemble_argument_collection() if error.app else ()
    names = [one.name for one in known if one.index is not None]
    return " ".join(names) or "options only"
