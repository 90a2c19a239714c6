"""BentoML's internals, start-up and the OpenAPI document."""
