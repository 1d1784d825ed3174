"""Which names of a ``with`` clause a table reference can see."""

from sqlglot import exp


def visible_ctes(table: exp.Table) -> frozenset[str]:
    """Names, in lower case, of the common table expressions that are in scope where ``table`` stands.

    A name counts only below the query whose ``with`` defines it, and inside that ``with`` only after its own
    definition. Were names collected from the whole text, a subquery that calls something ``landed__outcomes`` would
    open the ungated table of that name to all the others.
    """
    names: set[str] = set()
    inside: exp.Expression = table
    while (holder := inside.parent) is not None:
        if isinstance(holder, exp.With):
            names |= {cte.alias.lower() for cte in holder.expressions[: _position(holder, inside)]}
            # What stands in a definition belongs to the query around it, whose other names come after it.
            holder = holder.parent or holder
        elif with_ := holder.args.get("with_"):
            names |= {cte.alias.lower() for cte in with_.expressions}
        inside = holder
    return frozenset(names)


def _position(with_: exp.With, cte: exp.Expression) -> int:
    return next(position for position, other in enumerate(with_.expressions) if other is cte)
