"""The few names of `typing` that modules on the cold path use, without its import.

Importing `typing` takes 2.2 ms of a cold start, and each of its NamedTuples 0.15 ms more. Type checkers see
the real ones; at run time `NamedTuple` is the class below, and the rest are stand-ins that annotations need.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING or sys.version_info >= (3, 14):  # where annotations are no longer in a class's namespace
    from typing import Any as Any
    from typing import Generic as Generic
    from typing import NamedTuple as NamedTuple
    from typing import Protocol as Protocol
    from typing import TypeVar as TypeVar
else:
    from _collections import _tuplegetter

    Any = object

    class Generic:
        """A base that can be subscripted."""

        def __class_getitem__(cls, _parameters):
            return cls

    class Protocol:
        """A base that says nothing."""

    def TypeVar(_name):  # noqa: N802 - typing's name
        """Stands for any type."""
        return object

    class _Type(type):
        """Makes a class with annotations into a tuple with named fields."""

        def __new__(cls, name, bases, namespace):
            fields = tuple(namespace.get("__annotations__", ()))
            namespace |= {
                "__slots__": (),
                "__match_args__": fields,
                "_count": len(fields),
                "_fields": fields,
                "_field_defaults": {field: namespace[field] for field in fields if field in namespace},
            }
            namespace |= {field: _tuplegetter(index, None) for index, field in enumerate(fields)}
            return super().__new__(cls, name, bases, namespace)

    class NamedTuple(tuple, metaclass=_Type):
        """As `typing.NamedTuple`: immutable, with positions, names and defaults."""

        def __new__(cls, *values, **named):
            """Raises `TypeError` for a field that is missing, unknown or given twice."""
            if len(values) != cls._count or named:
                fields = cls._fields
                rest = fields[len(values) :]
                given = cls._field_defaults | named
                missing = [field for field in rest if field not in given]
                unknown = [field for field in named if field not in rest]
                if missing or unknown or len(values) > len(fields):
                    raise TypeError(
                        f"{cls.__name__} takes {', '.join(fields)}: missing {missing}, not taken {unknown}, "
                        f"{len(values)} by position"
                    )
                values = (*values, *[given[field] for field in rest])
            return tuple.__new__(cls, values)

        @classmethod
        def _make(cls, values):
            return cls(*values)

        def _replace(self, **changes):
            return type(self)(**self._asdict() | changes)

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self):
            return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self._asdict().items())})"

        def __getnewargs__(self):
            return tuple(self)
