"""The embedded stack: Kafka, SecantusDB and Airflow as processes of this machine, without Docker."""
