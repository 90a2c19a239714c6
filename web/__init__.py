"""What every HTTP route shares: authentication, problems, bodies, metrics."""
