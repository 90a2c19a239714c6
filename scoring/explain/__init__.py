"""Exact SHAP values from tables compiled from LightGBM's trees."""
