"""The embedded stack: Kafka, a document server and Airflow as processes of this machine, without Docker."""
