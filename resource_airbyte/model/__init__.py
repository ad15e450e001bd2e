"""The wire shapes of Airbyte's Config API: each class is named as its schema in Airbyte's OpenAPI document.

One file per noun. Attributes are snake_case, the wire is camelCase; `.wire()` is what goes over it.
"""
