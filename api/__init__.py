"""HTTP at the edge: authentication, wire schemas, problems, and the batches behind the routes."""
