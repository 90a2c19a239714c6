"""Management routes, a folder a subject: review, models and policies, drift."""
