"""The SQL that makes PostgreSQL schemas what a dump is, in one transaction.

``pg_restore --clean`` drops what the dump knows and leaves what was made since, so that the next
migration fails at a table that is there. Here a schema is emptied first: it keeps its owner, its
rights and its default rights, and objects of extensions stay. What depends on it from outside of
it (another tenant's view) must not be lost silently: then all of it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

_ENTRY = re.compile(r"\d+; \d+ \d+ (.*)")


@dataclass(frozen=True, slots=True)
class Replacement:
    """Which schemas become what is in a dump.

    ``schema`` is the target's own, None for a whole database; ``source`` is the name that it has in
    the dump. ``present`` are the schemas of the target's database, without the system's and those of
    extensions. ``wait``: seconds for whoever holds a table. ``owner``: whom new objects belong to.
    """

    schema: str | None
    source: str | None
    present: frozenset[str]
    wait: float
    owner: str | None = None

    @property
    def renamed(self) -> bool:
        """Whether the schema has another name in the dump."""
        return self.schema is not None and self.source is not None and self.schema != self.source

    @property
    def _aside(self) -> str:
        # A name of 63 bytes at most, that nobody has.
        return f"mcc aside {self.source}".encode()[:60].decode(errors="ignore")

    def prelude(self, dumped: Collection[str]) -> str:
        """Before the dump: emptied schemas under the names that the dump knows."""
        lines = [
            f"SET lock_timeout = '{max(1, round(self.wait * 1000))}ms';",
            "SET statement_timeout = 0;",
            _emptied(None if self.schema is None else [self.schema]),
        ]
        if self.schema is None:
            gone = sorted(self.present - set(dumped) - {"public"})
            lines += [f"DROP SCHEMA {quoted(name)};" for name in gone]
            lines.append(_NO_LARGE_OBJECTS)
        if self.renamed and self.source in self.present:
            lines.append(_rename(self.source, self._aside))
        if self.renamed and self.schema in self.present:
            lines.append(_rename(self.schema, self.source))
        if self.owner is not None:
            lines.append(f"SET ROLE {quoted(self.owner)};")
        return "\n".join(lines) + "\n"

    def epilogue(self) -> str:
        """Behind the dump: everything under its own name, and ready for the project's own SQL."""
        lines = [] if self.owner is None else ["RESET ROLE;"]
        if self.renamed:
            lines.append(_rename(self.source, self.schema))
            if self.source in self.present:
                lines.append(_rename(self._aside, self.source))
        if self.owner is not None:
            lines.append(f"SET ROLE {quoted(self.owner)};")
        path = "public" if self.schema is None else f"{quoted(self.schema)}, public"
        lines.append(f"SET search_path = {path};")
        return "\n".join(lines) + "\n"

    def wanted(self, listing: str) -> str:
        """The entries of ``pg_restore --list`` that are restored: a schema that is there is not made again."""
        there = set(self.present) | {"public"}
        if self.renamed and self.schema not in self.present:
            there.discard(self.source or "")  # the one of that name is moved aside
        return "".join(f"{line}\n" for line in listing.splitlines() if not _is_there(line, there))


def dumped_schemas(listing: str, known: Iterable[str]) -> set[str]:
    """Which of the ``known`` schemas a dump makes."""
    entries = [match[1] for line in listing.splitlines() if (match := _ENTRY.match(line))]
    return {name for name in known if any(entry.startswith(f"SCHEMA - {name} ") for entry in entries)}


def _is_there(line: str, there: Collection[str]) -> bool:
    match = _ENTRY.match(line)
    if match is None:
        return False
    if match[1].startswith("COMMENT - EXTENSION "):
        return True  # only the owner of an extension may set it
    return any(match[1].startswith(start) for start in _starts(there))


def _starts(there: Collection[str]) -> Iterator[str]:
    for name in there:
        yield f"SCHEMA - {name} "
        for what in ("ACL", "COMMENT"):
            yield f"{what} - SCHEMA {name} "
            yield f"{what} - SCHEMA {quoted(name)} "


def quoted(name: str) -> str:
    """A name as SQL takes it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL takes it (``standard_conforming_strings`` is on)."""
    return "'" + text.replace("'", "''") + "'"


def _rename(old: str | None, new: str | None) -> str:
    return f"ALTER SCHEMA {quoted(old or '')} RENAME TO {quoted(new or '')};"


USER_SCHEMAS = """\
SELECT n.nspname FROM pg_catalog.pg_namespace n
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT EXISTS (
  SELECT 1 FROM pg_catalog.pg_depend e
  WHERE e.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND e.objid = n.oid AND e.deptype = 'e')"""
"""The schemas of a database that are not the system's and not an extension's."""


def owner_query(schema: str) -> str:
    """Whom most tables of a schema belong to; for an empty one, the schema's owner unless that is the system."""
    name = literal(schema)
    return f"""
SELECT rolname FROM (
  SELECT r.rolname, count(*) AS many FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_roles r ON r.oid = c.relowner
  WHERE n.nspname = {name} AND c.relkind IN ('r', 'p') GROUP BY r.rolname
  UNION ALL
  SELECT r.rolname, 0 FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner
  WHERE n.nspname = {name} AND r.rolname !~ '^pg_'
) found WHERE rolname <> current_user OR many > 0 ORDER BY many DESC, rolname LIMIT 1"""  # noqa: S608 - quoted


def _emptied(schemas: list[str] | None) -> str:
    wanted = f"ARRAY({USER_SCHEMAS})" if schemas is None else f"ARRAY[{', '.join(map(literal, schemas))}]::text[]"
    return _EMPTIED.replace("@wanted@", wanted)


_NO_LARGE_OBJECTS = (
    "DO $mcc$ BEGIN PERFORM pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata; END $mcc$;"
)

# Identities come from the catalogue and are quoted there. A table goes first: its identity columns do
# not let their sequences go without it.
_EMPTIED = """\
DO $mcc$
DECLARE
  wanted text[] := @wanted@;
  outside text := $q$
    SELECT array(
      SELECT pg_catalog.pg_describe_object(o.class, o.object, 0) FROM (
        SELECT 'pg_catalog.pg_class'::regclass AS class, oid AS object, relnamespace AS place FROM pg_catalog.pg_class
        UNION ALL SELECT 'pg_catalog.pg_constraint'::regclass, oid, connamespace FROM pg_catalog.pg_constraint
        UNION ALL SELECT 'pg_catalog.pg_proc'::regclass, oid, pronamespace FROM pg_catalog.pg_proc
        UNION ALL SELECT 'pg_catalog.pg_type'::regclass, oid, typnamespace FROM pg_catalog.pg_type
        UNION ALL SELECT 'pg_catalog.pg_attrdef'::regclass, d.oid, c.relnamespace
          FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_class c ON c.oid = d.adrelid
        UNION ALL SELECT 'pg_catalog.pg_trigger'::regclass, t.oid, c.relnamespace
          FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal
        UNION ALL SELECT 'pg_catalog.pg_policy'::regclass, p.oid, c.relnamespace
          FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
      ) o JOIN pg_catalog.pg_namespace n ON n.oid = o.place
      WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND n.nspname <> ALL ($1))
  $q$;
  inside text := $q$
    SELECT array(
      SELECT pg_catalog.format('DROP %s IF EXISTS %s CASCADE',
        CASE i.type WHEN 'composite type' THEN 'TYPE' WHEN 'statistics object' THEN 'STATISTICS'
          ELSE upper(i.type) END, i.identity)
      FROM pg_catalog.pg_depend d, LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, 0) i
      WHERE d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.deptype = 'n'
        AND d.refobjid IN (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = ANY ($1))
        AND d.classid <> 'pg_catalog.pg_extension'::regclass
        AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend e
          WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype = 'e')
      GROUP BY i.type, i.identity ORDER BY i.type <> 'table', i.type, i.identity)
  $q$;
  before text[];
  after text[];
  commands text[];
  command text;
BEGIN
  EXECUTE outside INTO before USING wanted;
  EXECUTE inside INTO commands USING wanted;
  FOREACH command IN ARRAY commands LOOP
    EXECUTE command;
  END LOOP;
  EXECUTE outside INTO after USING wanted;
  SELECT array(SELECT unnest(before) EXCEPT SELECT unnest(after) ORDER BY 1) INTO before;
  IF before <> '{}' THEN
    RAISE EXCEPTION 'outside of the schema, these depend on it: %', pg_catalog.array_to_string(before, ', ');
  END IF;
  EXECUTE inside INTO commands USING wanted;
  IF commands <> '{}' THEN
    RAISE EXCEPTION 'the schema could not be emptied: %', pg_catalog.array_to_string(commands, '; ');
  END IF;
END
$mcc$;
"""
