"""One module for each service that Segue uses. No other room opens a client of its own."""
