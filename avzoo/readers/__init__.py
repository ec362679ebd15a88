"""Read files written by other programs as plain data, without running code from them or exhausting memory."""
