"""`LaunchParameters`: what a kernel type takes as parameters, and what a request makes of them. Pure.

``metadata["parameters"]`` is a JSON Schema (read as draft 7) whose properties are the parameters, or just
those properties. Their defaults are filled in; what does not follow the schema is refused, by name.

A parameter is *unconstrained* where no schema limits the text that may reach a command or an environment
(`limits` says when one does). Giving one is refused unless whoever set the application up allows it; one
that is not given has its default, which is its author's.

Source: JEP 87, "Parameterized kernel specs".
"""

import copy
import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from ._parameter_schema import Schema, compiled, limits, lists
from .exceptions import Unsupported

OPTION = "launch_params"
LONGEST_SHOWN = 80
_HOLD_SCHEMAS = frozenset({"properties", "patternProperties", "additionalProperties", "definitions", "$defs"})


class BadParameters(ValueError):
    """What a kernel type says of its parameters is no JSON Schema; the text says why."""


def _take_anything(values: Any) -> Any:
    return values


@dataclass(frozen=True, slots=True)
class LaunchParameters:
    """The parameters of one kernel type.

    ``schema`` is that of an object whose properties they are; ``declared`` is False where the kernel type
    says nothing of parameters, so that nothing is known of any.
    """

    schema: Mapping[str, Any] = field(default_factory=dict)
    declared: bool = False
    _check: Callable[[Any], Any] = field(default=_take_anything, repr=False, compare=False)

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> "LaunchParameters":
        """From the metadata of a kernelspec or a `KernelTypeInfo`. Raises `BadParameters`."""
        if "parameters" not in metadata:
            return cls()
        given = metadata["parameters"]
        if not isinstance(given, Mapping):
            raise BadParameters(f"parameters must be a JSON Schema, an object, not {given!r}")
        all_are_schemas = all(isinstance(value, Mapping | bool) for value in given.values())
        if given and all_are_schemas and not _HOLD_SCHEMAS & given.keys():
            given = {"properties": given}
        schema = {**given, "type": given.get("type", "object")}
        properties = schema.setdefault("properties", {})
        if schema["type"] != "object":
            raise BadParameters(f"parameters must be the schema of an object, not of type {schema['type']!r}")
        if "$ref" in schema:  # it would hide the properties from the validator, and so what limits them
            raise BadParameters("parameters: $ref cannot stand beside the properties; it can within them")
        if not isinstance(properties, Mapping):
            raise BadParameters(f"parameters: properties must be an object, not {properties!r}")
        for name, part in properties.items():
            if not isinstance(part, Mapping | bool):
                raise BadParameters(f"parameters: the schema of {name!r} must be an object, not {part!r}")
        try:
            return cls(schema, declared=True, _check=compiled(schema))
        except ValueError as error:
            raise BadParameters(f"parameters: this is no JSON Schema: {error}") from error

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that are declared, in the order of their author."""
        return tuple(self.schema.get("properties", ()))

    def limits(self, name: str) -> bool:
        """Whether a schema limits the text of this parameter: it is not unconstrained."""
        schema = self._schema_of(name)
        return schema is not None and limits(schema, self.schema)

    def lists(self, name: str) -> bool:
        """Whether a schema lists every value of this parameter."""
        schema = self._schema_of(name)
        return schema is not None and lists(schema, self.schema)

    def resolve(
        self,
        params: Mapping[str, Any],
        *,
        allow_unconstrained: bool = False,
        places: Collection[str] | None = None,
    ) -> dict[str, Any]:
        """The values to launch with, as JSON has them: those given, and the defaults of others.

        ``places`` are names that the kernel's command has a place for, where that is known: they can be given
        though no schema tells of them. Raises `Unsupported` for ``launch_params``, naming the parameter: one
        that there is not, that is missing, unconstrained, or does not follow the schema.
        """
        values = {name: _json_value(name, value) for name, value in params.items()}
        closed = self.schema.get("additionalProperties") is False
        known = [*self.names, *(() if closed else sorted(places or ()))]
        for name in values:
            if self._schema_of(name) is None and name not in known and (self.declared or places is not None):
                raise Unsupported(OPTION, f"there is no parameter {name!r}; {_there_is(name, known)}")
            if not allow_unconstrained and not self.limits(name):
                raise Unsupported(OPTION, self._why_unconstrained(name))
        for name, schema in self.schema.get("properties", {}).items():
            if isinstance(schema, Mapping) and "default" in schema:
                values.setdefault(name, copy.deepcopy(schema["default"]))
        for name in self.schema.get("required", ()):
            if name not in values:
                raise Unsupported(OPTION, f"{name!r} must be given; it has no default")
        try:
            checked: dict[str, Any] = self._check(values)
        except (ValueError, TypeError, ArithmeticError, RecursionError) as error:  # 10**400 % 0.5, say
            raise Unsupported(OPTION, self._explain(error, params)) from error
        return checked

    def _schema_of(self, name: str) -> Schema | None:
        """What a value of that name has to follow; None where no schema tells of it."""
        properties = self.schema.get("properties", {})
        if name in properties:
            schema: Schema = properties[name]
            return schema
        for pattern, schema in self.schema.get("patternProperties", {}).items():
            if re.search(pattern, name):
                return schema
        others: Schema = self.schema.get("additionalProperties", False)
        return None if others is False else others

    def _why_unconstrained(self, name: str) -> str:
        where = "its schema does not limit" if self._schema_of(name) is not None else "no schema limits"
        return (
            f"{name!r} is refused: {where} its text (by type, enum, const, format or a pattern '^…$'), and "
            "it may reach a command; allow_unconstrained_parameters, an option of the providers "
            "'spec' and 'environments' (allow_unconstrained of a launcher), allows it"
        )

    def _explain(self, error: Exception, given: Mapping[str, Any]) -> str:
        """The text for a value that does not follow the schema, from the validator's error."""
        path = str(getattr(error, "name", None) or "data")
        name = max((n for n in {*self.names, *given} if _leads_to(n, path)), default="")
        if not name:
            text = str(error)
            says = text.removeprefix("data ") if path == "data" and text.startswith("data ") else ""
            return f"the parameters {says or f'cannot be checked: {text}'}"
        subject = repr(name) if name in given else f"the default of {name!r}"
        rest = path.removeprefix("data").removeprefix(".").removeprefix(name)
        rule, wanted = getattr(error, "rule", ""), getattr(error, "rule_definition", None)
        if rule == "enum" and isinstance(wanted, list):
            says = f"must be one of {', '.join(map(_shown, wanted))}"
        elif rule == "const":
            says = f"must be {_shown(wanted)}"
        else:
            says = str(error).removeprefix(path).strip()
        if says.startswith("must be") or rule == "pattern":
            says += f", not {self._shown_value(name, getattr(error, 'value', None))}"
        return f"{subject}{rest} {says}"

    def _shown_value(self, name: str, value: object) -> str:
        schema = self._schema_of(name)
        secret = isinstance(schema, Mapping) and (
            schema.get("writeOnly") or schema.get("format") == "password"
        )
        return "what was given" if secret else _shown(value)


def as_text(value: Any) -> str:
    """What a parameter becomes in a command or an environment: a string as it is, others as compact JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _json_value(name: object, value: object) -> Any:
    """A copy that consists of what JSON has. Raises `Unsupported`."""
    if not isinstance(name, str):
        raise Unsupported(OPTION, f"the name of a parameter must be a string, not {name!r}")
    try:
        return json.loads(json.dumps(value, allow_nan=False, ensure_ascii=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise Unsupported(OPTION, f"{name!r} must be a value that JSON has: {error}") from error


def _there_is(name: str, known: Collection[str]) -> str:
    known = list(dict.fromkeys(known))
    near = get_close_matches(name, known)
    if near:
        return f"did you mean {' or '.join(map(repr, near))}?"
    return f"there are {', '.join(map(repr, known))}" if known else "there are none"


def _leads_to(name: str, path: str) -> bool:
    rest = path.removeprefix("data.")
    return rest == name or rest.startswith((f"{name}.", f"{name}["))


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
