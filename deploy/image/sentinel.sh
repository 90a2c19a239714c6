#!/bin/sh
exec /app/venv/bin/python -m sentinel "$@"
