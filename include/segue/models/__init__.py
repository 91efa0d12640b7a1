"""Models: the genre classifier, the recommender, how they are evaluated and where they are kept."""
