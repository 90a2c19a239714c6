"""Feature sets: the inputs of a model as named expressions, carried by the model version."""
