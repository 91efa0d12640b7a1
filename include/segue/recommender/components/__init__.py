"""What the recommender blends: ALS factors, item-to-item relations, sound and popularity."""
