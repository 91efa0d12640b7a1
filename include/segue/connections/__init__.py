"""One module for each service that Segue talks to. No other room opens a client of its own."""
