"""Musical descriptors: tempo, regularity of the beat, key and loudness."""
