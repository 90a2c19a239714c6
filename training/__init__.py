"""From labelled transactions to a registered model version."""
