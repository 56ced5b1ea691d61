"""The rules: what each code of a finding means, for the reference and for tools that list rules."""

from __future__ import annotations

RULES = {
    # files and YAML
    "binary-file": "A spec file is text in UTF-8.",
    "duplicate-key": "A key may stand once in a map; the second would silently win.",
    "empty-file": "A spec file describes an entity.",
    "merge-key": "Merge keys (<<) are not part of YAML 1.2.",
    "no-project": "A command finds the project's folder of spec files, or is told where they are.",
    "no-spec-files": "A folder that is asked about holds spec files.",
    "recursive-alias": "An alias may not stand inside what it names.",
    "too-deep": "Values are nested at most 50 deep.",
    "too-large": "A file holds at most 200,000 values, those that aliases repeat included.",
    "unknown-alias": "An alias names an anchor that stands before it.",
    "unreadable-file": "Files and folders can be read.",
    "yaml-key": "Keys are names.",
    "yaml-syntax": "A spec file is YAML.",
    "yaml-tab": "Tabs cannot indent YAML.",
    "yaml-tag": "Tags that would build objects are not understood.",
    # structure
    "empty-value": "A value that says nothing is left out instead.",
    "duplicate-value": "A list of names has each name once.",
    "missing-key": "Keys that are needed are there.",
    "missing-where": "An update, a delete or a select of the whole table has to say so.",
    "not-yet-supported": "A key that belongs to the language but is not built yet is refused, never ignored.",
    "out-of-range": "A number lies within its bounds.",
    "unknown-key": "Every key is one of the language.",
    "unknown-pattern": "A pattern is one that there is.",
    "wrong-mix": "Keys that exclude each other do not stand together.",
    "wrong-type": "A value has the type of its key.",
    "wrong-value": "A value is one of those that its key takes.",
    # names
    "bad-name": "A name is not empty and can be written in SQL.",
    "duplicate-entity": "An entity's name is its own.",
    "duplicate-file": "Each entity is written to a file of its own.",
    "duplicate-operation": "The names of operations, and of the functions they get, are their own.",
    "duplicate-table": "Each entity has a table of its own.",
    "name-too-long": "PostgreSQL's names have at most 63 bytes.",
    # entities
    "bad-reference": "A reference leads to a column that is unique.",
    "empty-enum": "An enum has values, and none is empty.",
    "no-primary-key": "An entity with operations has a key to go through its rows by.",
    "reference-cycle": "References do not go round in a circle.",
    "unknown-entity": "An entity that is referred to exists.",
    "unknown-type": "A type is one of the language's or of PostgreSQL's.",
    # operations
    "generated-column": "Nothing is assigned to a generated column.",
    "key-update": "An operation cannot change the key that it walks by.",
    "missing-column": "The columns that find a row are among those that are given.",
    "no-unique-index": "An upsert's conflict_target is unique.",
    "bad-interval": "A span of time can be read, and lies between 1 ms and 24 days.",
    "bad-address": "The address of a notification channel is a URL, or names the variable that holds it.",
    "bad-message": "A notification's message can be read: each {name} is closed, and {{ stands for a brace.",
    "unknown-field": "A notification's message names fields that its result has.",
    # values
    "bad-literal": "A value fits the type of its column.",
    "looks-like-sql": "A text that reads like SQL says whether it is SQL.",
    "null-value": "NULL goes where NULL is allowed.",
    # SQL
    "aggregate": "An aggregate stands where many rows are looked at.",
    "empty-fragment": "A piece of SQL says something.",
    "no-columns-here": "Columns are named where there is a row.",
    "no-parameters-here": "Parameters are named where there is a call.",
    "not-a-condition": "A condition is true or false.",
    "not-one-expression": "One SQL expression is wanted: no statement, and not several.",
    "open-comment": "A comment does not hide what stands behind it.",
    "set-returning": "One value is wanted, not a set.",
    "sql-syntax": "SQL is what PostgreSQL's grammar takes.",
    "subquery": "A check constraint looks at one row of one table.",
    "unknown-column": "A column that is named exists.",
    "window-function": "Window functions have no place in a condition.",
    # parameters
    "contradicting-parameter-types": "All uses of a parameter agree on its type.",
    "reserved-parameter": "A parameter is not called like one that every operation has.",
    "unknown-item": "A field of an item is read where there are items, by their name.",
    "unknown-item-field": "The type of an item's field can be told.",
    "unknown-parameter-type": "A parameter's type can be inferred, or is declared.",
    "unused-parameter": "A declared parameter is used.",
    # what comes out
    "broken-sql": "The generated SQL can be parsed; where it cannot, a template is wrong.",
}
"""Code to what holds where nothing is found; one sentence each."""
