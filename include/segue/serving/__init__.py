"""The listens API: an HTTP service that speaks as ListenBrainz does and puts every play into Kafka."""
