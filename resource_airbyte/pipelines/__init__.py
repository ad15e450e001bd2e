"""Pipelines as files: read one (document), find what it names (resolve), and make Airbyte look like it (apply)."""
