"""Decode audio and compute its features. This package uses no Spark, no Airflow and no database."""
