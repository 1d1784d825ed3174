"""Which names of a ``with`` clause a part of a query can see."""

from sqlglot import exp


def visible_ctes(part: exp.Expression) -> frozenset[str]:
    """Names, in lower case, of the common table expressions that are in scope where ``part`` stands."""
    return frozenset(definition.alias.lower() for definition in visible_definitions(part))


def visible_definitions(part: exp.Expression) -> list[exp.CTE]:
    """The common table expressions that are in scope where ``part`` stands, outermost first.

    A name counts only below the query whose ``with`` defines it, and inside that ``with`` only after its own
    definition. Were names collected from the whole text, a subquery that calls something ``landed__outcomes`` would
    open the ungated table of that name to all the others.
    """
    found: list[exp.CTE] = []
    inside = part
    while (holder := inside.parent) is not None:
        if isinstance(holder, exp.With):
            found = [*holder.expressions[: _position(holder, inside)], *found]
            # What stands in a definition belongs to the query around it, whose other names come after it.
            holder = holder.parent or holder
        elif with_ := holder.args.get("with_"):
            found = [*with_.expressions, *found]
        inside = holder
    return found


def _position(with_: exp.With, cte: exp.Expression) -> int:
    return next(position for position, other in enumerate(with_.expressions) if other is cte)
