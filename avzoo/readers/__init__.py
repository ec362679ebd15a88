"""Read files of other programs as plain data: nothing that they name is run, and none takes all the memory."""
