"""Which model version and which policy serve which tenant."""
