"""Compare a challenger with the champion by what listeners play of the lists that they are served."""
