"""Measuring: pictures, their features, the numerics that metrics share, gates, and the report."""
