"""Rules: an analyst's conditions beside the model, and the outcome that they give together."""
