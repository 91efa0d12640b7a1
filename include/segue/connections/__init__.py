"""One module for each service that Segue uses. Code outside this package opens no client of its own."""
