"""From a file to blocks of mono samples."""
