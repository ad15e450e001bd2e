"""Run Airbyte pipelines from files: embedded, as a stack, or against an existing Airbyte."""

__version__ = "0.1.0"
