"""The overview page: the state of the corpus, the DAGs, the models and the listens, on one page for operators."""
