"""Audio: decode, spectra, features, statistics. Knows no Spark, no Airflow and no database."""
