"""From the champion to lists: rules, reasons, live updates and batches."""
